"""Which file every enlarged picture goes to: decided for all inputs before any is touched."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from subpixel.errors import InputError, SubpixelError, UsageError
from subpixel.media.folders import closed_folders, files_in, is_folder, results_of
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
        pictures = results_of(path, files_in(path, _is_picture), out, label)
        closed = [
            (Path(e.filename), InputError(f"{e.filename} cannot be read: {e.strerror}")) for e in closed_folders(path)
        ]
        found += [(folder, None, error) for folder, error in closed]
        if not pictures and not closed:
            endings = " ".join(FORMATS)
            found.append((path, None, InputError(f"{path} has no pictures ({endings}) and no videos in it")))
        found += [(picture, wanted, None) for picture, wanted in pictures]

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


def has_pictures(folder: Path) -> bool:
    """Whether a folder or its subfolders hold any, by their endings, or may, where they cannot be looked into."""
    return bool(files_in(folder, _is_picture) or closed_folders(folder))


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in FORMATS


def _key(path: Path) -> str:
    """One file has one key, by whichever link it is named, and on disks that take A.png for a.png too."""
    return os.path.realpath(path).casefold()  # resolve() raises where links form a loop
