"""Which files are videos, told by their first bytes, else by their ending; nothing is decoded for it."""

from pathlib import Path

from subpixel.media.folders import files_in, is_folder

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
    if is_folder(path):
        return False
    looks = _looks(path)
    return path.suffix.lower() in ENDINGS if looks is None else looks


def videos_in(folder: Path) -> list[Path]:
    """The videos of a folder and its subfolders: what has a video's ending and does not begin as something else.

    What ends in .ts has to begin as a transport stream, since programs are called so too.
    """

    def wanted(path: Path) -> bool:
        ending = path.suffix.lower()
        return ending in ENDINGS and _looks(path) in ((True,) if ending == ".ts" else (True, None))

    return files_in(folder, wanted)


def _looks(path: Path) -> bool | None:
    """True for a file that begins as a video does, False for a picture, None where its first bytes do not tell."""
    try:
        with path.open("rb") as file:
            head = file.read(400)
    except (OSError, ValueError):
        head = b""
    return None if path.suffix.lower() in (".mjpg", ".mjpeg") else _looks_like(head)  # these begin as JPEG does


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
