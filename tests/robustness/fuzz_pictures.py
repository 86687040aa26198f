"""One worker of the fuzzing of pictures: FOLDER FIRST COUNT. Prints what it did; a crash or a hang ends it."""

import contextlib
import faulthandler
import json
import sys
from fractions import Fraction
from pathlib import Path

from robustness.mutate import mutated
from subpixel.errors import InputError, OutputError
from subpixel.upscaling.choice import Upscalers
from subpixel.upscaling.files import Limits, enlarge_file
from subpixel.upscaling.target import Target

CAP = 2 << 30  # bytes of address space
HANG = 30  # seconds for one file
_MEGAPIXELS = 8
_OUT = ("png", "tiff", "webp", "jpg", "gif")


def main(folder: Path, first: int, count: int) -> None:
    with contextlib.suppress(ImportError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (CAP, CAP))
    seeds = [path.read_bytes() for path in sorted((folder / "seeds").iterdir())]
    upscalers, target = Upscalers("bicubic"), Target(Fraction(2))
    work = folder / f"work{first}"
    work.mkdir()
    source = work / "in"
    made = refused = 0
    for number in range(first, first + count):
        print(number, flush=True)  # the last one printed is the one that crashed or hung
        source.write_bytes(mutated(seeds, number))
        output = work / f"out.{_OUT[number % len(_OUT)]}"
        limits = Limits(_MEGAPIXELS, 1 << 30 if number % 2 else None)
        faulthandler.dump_traceback_later(HANG, exit=True)
        try:
            enlarge_file(source, output, upscalers, target, limits=limits)
        except (InputError, OutputError) as error:
            check_sentence(str(error), source, output)
            assert [path.name for path in work.iterdir()] == ["in"], "a failure left something behind"
            refused += 1
        else:
            assert output.stat().st_size > 0
            output.unlink()
            made += 1
        finally:
            faulthandler.cancel_dump_traceback_later()
    print(json.dumps({"made": made, "refused": refused}))


def check_sentence(said: str, *paths: Path) -> None:
    assert "\n" not in said, said
    assert any(str(path) in said for path in paths), said


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
