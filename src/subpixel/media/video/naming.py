"""Which videos are among the inputs, and which file each of them becomes."""

import os
from collections.abc import Sequence
from itertools import chain, count
from pathlib import Path

from subpixel.errors import UsageError
from subpixel.media.folders import is_folder, results_of
from subpixel.media.video.kinds import PIPE, is_video, videos_in

WRITTEN = frozenset({".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".nut"})  # what keeps its ending


def find_videos(inputs: Sequence[Path]) -> dict[Path, list[Path]]:
    """The videos of every input that is one, or is a folder with some, in the order of the inputs."""
    found = {path: videos_in(path) if is_folder(path) else [path] * is_video(path) for path in inputs}
    return {path: videos for path, videos in found.items() if videos}


def name_outputs(
    found: dict[Path, list[Path]], out: Path | None, label: str, *, alone: bool
) -> list[tuple[Path, Path]]:
    """Every video with a file of its own, never an input.

    - One video and an `out` that ends like a video, or is "-": that.
    - `out` otherwise is a folder: names stay, and subfolders of an input folder stay.
    - Without `out`: beside the video as NAME_x3.EXT, for an input folder in a folder NAME_x3 beside it; from
      standard input, and of kinds that are not written, .mkv.

    Args:
        found: as of `find_videos`.
        out: a file or folder to write to, or "-".
        label: for the names, such as "x3".
        alone: whether the call has one input only.

    Raises:
        UsageError: a single file was named for several videos, or it is the input itself.
    """
    if out is not None and (out == PIPE or out.suffix) and not is_folder(out):
        one = next(iter(found))
        if not alone or is_folder(one):
            raise UsageError(f"-o {out} is one file, but there are several inputs: name a folder")
        if out != PIPE and os.path.realpath(out) == os.path.realpath(one):
            raise UsageError(f"-o {out} is the input itself: name another file")
        return [(one, out)]
    wanted: list[tuple[Path, Path]] = []
    for path, videos in found.items():
        if is_folder(path):
            wanted += results_of(path, videos, out, label)
            continue
        name = Path("video" if path == PIPE else path.name)
        folder = (Path() if path == PIPE else path.parent) if out is None else out
        wanted.append((path, folder / (name if out is not None else name.with_stem(f"{name.stem}_{label}"))))
    taken = {_key(path) for path, _ in wanted if path != PIPE}
    outputs = []
    seen = set()
    for path, result in wanted:
        if path != PIPE and os.path.abspath(path) in seen:  # noqa: PTH100 (a link is a video of its own)
            continue
        seen.add(os.path.abspath(path))  # noqa: PTH100
        ending = result.suffix if result.suffix.lower() in WRITTEN else ".mkv"
        stem = result.stem if result.stem.endswith(f"_{label}") else f"{result.stem}_{label}"
        names = chain([result.stem, stem], (f"{stem}-{number}" for number in count(2)))
        candidates = (result.with_name(f"{name}{ending}") for name in names)
        chosen = next(c for c in candidates if _key(c) not in taken)
        taken.add(_key(chosen))
        outputs.append((path, chosen))
    return outputs


def _key(path: Path) -> str:
    return os.path.realpath(path).casefold()
