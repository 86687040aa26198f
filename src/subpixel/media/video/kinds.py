"""Which files are videos, told by their first bytes, else by their ending; nothing is decoded for it."""

import os
from collections.abc import Sequence
from itertools import chain, count
from pathlib import Path

from subpixel.errors import UsageError
from subpixel.media.folders import is_folder

PIPE = Path("-")
ENDINGS = frozenset(
    (
        *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".m2ts", ".mts", ".mpg", ".mpeg", ".vob", ".flv"),
        *(".f4v", ".wmv", ".asf", ".ogv", ".3gp", ".3g2", ".y4m", ".mxf", ".nut", ".h264", ".264", ".h265", ".hevc"),
        *(".ivf", ".mjpg", ".mjpeg", ".dv", ".rm", ".rmvb"),
    )
)
_STILL_BRANDS = (
    b"avif",
    b"avis",
    b"heic",
    b"heix",
    b"mif1",
    b"msf1",
    b"jp2 ",
    b"jpx ",
)  # pictures that begin as MP4 does


def is_video(path: Path) -> bool:
    """Whether an input shall be taken for a video: "-", what begins like one, or what is called like one.

    A picture that is called `.mp4` is no video, and an MP4 that is called `.png` is one.
    """
    if path == PIPE:
        return True
    try:
        with path.open("rb") as file:
            head = file.read(400)
    except (OSError, ValueError):
        head = b""
    looks = None if path.suffix.lower() in (".mjpg", ".mjpeg") else _looks_like(head)  # these begin as JPEG does
    return path.suffix.lower() in ENDINGS if looks is None else looks


def _looks_like(head: bytes) -> bool | None:
    """True for a video's first bytes, False for a picture's, None where they do not tell."""
    if head[4:8] == b"ftyp":
        return head[8:12] not in _STILL_BRANDS
    if head[4:8] in (b"moov", b"mdat", b"wide", b"free", b"skip"):
        return True
    if head.startswith(
        (b"\x1aE\xdf\xa3", b"FLV\x01", b"YUV4MPEG2", b"OggS", b"DKIF", b"nut/multimedia", b"\x00\x00\x01\xba")
    ):
        return True
    if head.startswith(b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"):  # ASF, WMV
        return True
    if head.startswith(b"RIFF"):
        return {b"AVI ": True, b"WEBP": False}.get(head[8:12])
    if len(head) > 376 and head[0] == head[188] == head[376] == 0x47:  # MPEG transport stream
        return True
    pictures = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
    return False if head.startswith(pictures) else None


WRITTEN = frozenset({".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".nut"})  # what keeps its ending


def name_outputs(videos: Sequence[Path], out: Path | None, label: str, *, alone: bool) -> list[Path]:
    """A file of its own for every video, never an input.

    - One video and an `out` that ends like a video, or is "-": that.
    - `out` otherwise is a folder: names stay.
    - Without `out`: beside the video as NAME_x3.EXT; from standard input, and of kinds that are not written, .mkv.

    Args:
        videos: the inputs, or "-".
        out: a file or folder to write to, or "-".
        label: for the names, such as "x3".
        alone: whether the video is the only input of the call.

    Raises:
        UsageError: a single file was named for several videos, or it is the input itself.
    """
    if out is not None and (out == PIPE or out.suffix) and not is_folder(out):
        if not alone:
            raise UsageError(f"-o {out} is one file, but there are several inputs: name a folder")
        if out != PIPE and os.path.realpath(out) == os.path.realpath(videos[0]):
            raise UsageError(f"-o {out} is the input itself: name another file")
        return [out]
    taken = {os.path.realpath(path).casefold() for path in videos if path != PIPE}
    outputs = []
    for path in videos:
        stem = "video" if path == PIPE else path.stem
        ending = path.suffix if path.suffix.lower() in WRITTEN else ".mkv"
        folder = (Path() if path == PIPE else path.parent) if out is None else out
        enlarged = f"{stem}_{label}"
        names = chain([] if out is None else [stem], [enlarged], (f"{enlarged}-{number}" for number in count(2)))
        candidates = (folder / f"{name}{ending}" for name in names)
        chosen = next(c for c in candidates if os.path.realpath(c).casefold() not in taken)
        taken.add(os.path.realpath(chosen).casefold())
        outputs.append(chosen)
    return outputs
