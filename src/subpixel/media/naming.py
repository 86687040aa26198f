"""Which file every enlarged picture goes to: decided for all inputs before any is touched."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from subpixel.errors import InputError, SubpixelError, UsageError
from subpixel.media.folders import is_folder
from subpixel.media.image import FORMATS, output_format


@dataclass(frozen=True)
class Job:
    """One picture to enlarge, or the reason why this input is none."""

    input: Path
    output: Path | None = None
    error: SubpixelError | None = None


def plan(inputs: Sequence[Path], out: Path | None, label: str, ending: str | None = None) -> list[Job]:
    """Give every picture among the inputs an output of its own, never one of the inputs.

    - One picture and an `out` that ends like a picture file: that file.
    - `out` otherwise is a folder: names stay, and subfolders of an input folder stay.
    - Without `out`: beside the picture as NAME_x3.EXT; for an input folder a folder NAME_x3 beside it.

    A name that is taken, by an input or an earlier output, gets _x3 and then -2, -3, ... added.

    Args:
        inputs: files and folders; folders are searched with their subfolders.
        out: a file or folder to write to.
        label: for the names: x3.
        ending: another format's, such as ".png".

    Raises:
        UsageError: a single file was named for several pictures, or it has no known ending.
    """
    to_file = False
    if out is not None and out.suffix and not is_folder(out):
        to_file = len(inputs) == 1 and not is_folder(inputs[0])
        if to_file:
            output_format(out)
        elif out.suffix.lower() in FORMATS:
            raise UsageError(f"-o {out} is one file, but there may be several pictures: name a folder")
    found: list[tuple[Path, Path | None, SubpixelError | None]] = []  # input, wanted output, error
    for path in inputs:
        if not is_folder(path):
            folder = path.parent if out is None else out
            name = f"{path.stem}_{label}{path.suffix}" if out is None else path.name
            found.append((path, out if to_file else folder / name, None))
            continue
        named = path.resolve() if path.name in ("", "..") else path  # "." and ".." have no name to add to
        target = named.with_name(f"{named.name}_{label}") if out is None else out
        pictures = [p for p in sorted(path.rglob("*")) if _is_picture(p) and not _within(p, target, path)]
        if not pictures:
            endings = " ".join(FORMATS)
            found.append((path, None, InputError(f"{path} has no pictures in it ({endings})")))
        found += [(p, target / p.relative_to(path), None) for p in pictures]

    taken = {_key(path) for path, _, _ in found}
    jobs, seen = [], set()
    for path, wanted, error in found:
        spelt = os.path.abspath(path)  # noqa: PTH100 (resolve() follows links: a link is a picture of its own)
        if spelt in seen:
            continue
        seen.add(spelt)
        if wanted is None:
            jobs.append(Job(path, error=error))
            continue
        if to_file:
            if _key(wanted) in taken:
                raise UsageError(f"-o {wanted} is the input itself: name another file")
        else:
            wanted = wanted.with_suffix(ending or _known(wanted.suffix))
        output = next(name for name in _names(wanted, label) if _key(name) not in taken)
        taken.add(_key(output))
        jobs.append(Job(path, output))
    return jobs


def _names(wanted: Path, label: str) -> Iterable[Path]:
    yield wanted
    stem = wanted.stem if wanted.stem.endswith(f"_{label}") else f"{wanted.stem}_{label}"
    yield wanted.with_stem(stem)
    number = 2
    while True:
        yield wanted.with_stem(f"{stem}-{number}")
        number += 1


def _known(suffix: str) -> str:
    """A picture under a foreign name is written as PNG."""
    return suffix if suffix.lower() in FORMATS else ".png"


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in FORMATS and not path.name.startswith(".") and not _is_other(path)


def _is_other(path: Path) -> bool:
    """Whether it is surely no file; where the system will not say, reading it will tell the user why."""
    try:
        return not path.is_file()
    except (OSError, ValueError):
        return False


def _within(path: Path, target: Path, source: Path) -> bool:
    """Whether a picture is an earlier output, in a target folder that lies inside the searched one."""
    resolved, folder, searched = (Path(os.path.realpath(name)) for name in (path, target, source))  # never raises
    return folder != searched and resolved.is_relative_to(folder)


def _key(path: Path) -> str:
    """One file has one key, by whichever link it is named, and on disks that take A.png for a.png too."""
    return os.path.realpath(path).casefold()  # resolve() raises where links form a loop
