"""libvips: PNG, JPEG and TIFF read by rows, at 8 or 16 bits a channel, and JPEG written by rows.

Its rows come from the file as they are asked for, so that a picture larger than the memory can be read.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from subpixel.errors import InputError, OutputError
from subpixel.media.formats.jpeg import segments
from subpixel.media.formats.png import PngWriter
from subpixel.media.formats.raster import Raster, Rows
from subpixel.media.metadata import Metadata, settled

_READABLE = {"PNG": "pngload_source", "JPEG": "jpegload_source", "TIFF": "tiffload_source"}
_START = 20  # bytes of a JPEG up to the end of its JFIF segment, if it has one
_ON_DISK_FROM = "64m"  # a turned picture is unpacked to a temporary file, which has any row at hand


def _library() -> Any:
    """pyvips, quiet, and without its cache of results."""
    os.environ.setdefault("VIPS_DISC_THRESHOLD", _ON_DISK_FROM)
    os.environ.setdefault("VIPS_WARNING", "1")  # its warnings are about files from elsewhere
    os.environ.setdefault("VIPS_CONCURRENCY", "1")
    import logging

    logging.getLogger("pyvips").setLevel(logging.ERROR)  # it reports every call
    import pyvips

    pyvips.cache_set_max(0)
    pyvips.cache_set_max_mem(0)
    pyvips.cache_set_max_files(0)
    return pyvips


class VipsRows:
    """A file's picture, upright, grey or RGB with or without alpha, of 8 or 16 bits.

    Attributes:
        raster: size and kind.
        metadata: as of the upright picture.
        notices: what was changed on the way in, one sentence each.
        in_pieces: whether rows come from the file as they are asked for; False where the file has to be
            unpacked as a whole first (interlaced, progressive).
    """

    def __init__(self, path: Path, kind: str, turned: int | None = None, metadata: Metadata | None = None) -> None:
        """`kind`: PNG, JPEG or TIFF. `turned`, `metadata`: orientation and the rest as read
        by others; libvips knows no EXIF in a TIFF.

        Raises:
            InputError: libvips cannot read it.
        """
        self._path, self._next = path, 0
        with ExitStack() as undone, self._failures():
            vips = _library()
            self._file = undone.enter_context(path.open("rb"))
            source = vips.Source.new_from_descriptor(self._file.fileno())
            load = getattr(vips.Image, _READABLE[kind])
            image = load(source, access="sequential", fail_on="error")
            self.in_pieces = not self._has(image, "interlaced") and not self._has(image, "jpeg-multiscan")
            if turned is None:
                turned = int(image.get("orientation")) if image.get_typeof("orientation") else 1
            if turned != 1:
                self._file.seek(0)
                source = vips.Source.new_from_descriptor(self._file.fileno())
                image = load(source, access="random", fail_on="error").copy()
                image.set_type(vips.GValue.gint_type, "orientation", turned)
                image = image.autorot()
            image, self.notices, converted = self._plain(image)
            self.raster = Raster(image.width, image.height, image.bands, 16 if image.format == "ushort" else 8)
            self.metadata = metadata or self._beside(image)
            if converted:
                self.metadata = replace(self.metadata, icc=None)
            self._region = vips.Region.new(image)
            undone.pop_all()

    def read(self, count: int) -> Rows:
        """The next rows [n, width, channels], `count` or what is left.

        Raises:
            InputError: the file is damaged or cut short there.
        """
        raster = self.raster
        count = min(count, raster.height - self._next)
        with self._failures():
            data = self._region.fetch(0, self._next, raster.width, count)
        self._next += count
        return np.frombuffer(data, raster.dtype).reshape(count, raster.width, raster.channels)

    def close(self) -> None:
        del self._region
        self._file.close()

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except (InputError, MemoryError):
            raise
        except PermissionError as error:
            raise InputError(f"{self._path} cannot be read: {error.strerror}") from error
        except Exception as error:  # pyvips.Error, and what cffi raises
            lines = [line.strip() for line in str(getattr(error, "detail", "") or error).splitlines() if line.strip()]
            reason = lines[0] if lines else type(error).__name__
            raise InputError(f"{self._path} is damaged or cut short ({reason}): fetch it again") from error

    @staticmethod
    def _has(image: Any, field: str) -> bool:
        return bool(image.get_typeof(field)) and bool(image.get(field))

    def _plain(self, image: Any) -> tuple[Any, list[str], bool]:
        notices, converted = [], image.interpretation in ("cmyk", "lab", "labs")
        if converted:
            notices.append(f"{self._path}: {image.interpretation.upper().removesuffix('S')} is converted to RGB")
            if image.get_typeof("icc-profile-data"):
                image = image.icc_transform("srgb", embedded=True)
            else:
                image = image.colourspace("srgb")
            image = image.copy()
            image.remove("icc-profile-data")
        if image.format not in ("uchar", "ushort"):
            raise InputError(
                f"{self._path}: values of kind {image.format} cannot be read in strips: save it as 8-bit or 16-bit"
            )
        if not 1 <= image.bands <= 4:
            raise InputError(f"{self._path} has {image.bands} channels: save it as grey or RGB, with or without alpha")
        return image, notices, converted

    @staticmethod
    def _beside(image: Any) -> Metadata:
        found: dict[str, bytes | None] = {}
        for name in ("icc-profile-data", "exif-data", "xmp-data"):
            found[name] = bytes(image.get(name)) if image.get_typeof(name) else None
        return settled(found["icc-profile-data"], found["exif-data"], found["xmp-data"])


class JpegRows:
    """A JPEG written by rows: they go to libvips as an unpacked PNG through a pipe."""

    def __init__(self, file: BinaryIO, raster: Raster, metadata: Metadata, quality: int, subsampling: str) -> None:
        reading, writing = os.pipe()
        self._failure: BaseException | None = None
        self._pipe = os.fdopen(writing, "wb", buffering=1 << 20)
        self._thread = threading.Thread(
            target=self._encode, args=(reading, file, metadata, quality, subsampling), daemon=True
        )
        self._thread.start()
        self._rows = PngWriter(self._pipe, raster, Metadata(), level=0)

    def write(self, rows: Rows) -> None:
        """Rows [n, width, 1 or 3] of 8 bits."""
        try:
            self._rows.write(rows)
        except BrokenPipeError:
            self._raise()
            raise

    def close(self) -> None:
        self._rows.close()
        self.abandon()
        self._raise()

    def abandon(self) -> None:
        """Ends the encoder, whatever has been written."""
        with suppress(BrokenPipeError):
            self._pipe.close()
        self._thread.join()

    def _raise(self) -> None:
        self._thread.join()
        if self._failure is not None:
            raise OutputError(f"libvips cannot write this JPEG: {self._failure}") from self._failure

    def _encode(self, reading: int, file: BinaryIO, metadata: Metadata, quality: int, subsampling: str) -> None:
        try:
            vips = _library()
            source = vips.Source.new_from_descriptor(reading)
            image = vips.Image.pngload_source(source, access="sequential", fail_on="error").copy()
            target = vips.TargetCustom()
            head = bytearray()

            def write(data: bytes) -> int:
                """The encoder's bytes, with our own segments before its first one, or behind its JFIF segment."""
                if len(head) >= _START:
                    file.write(data)
                else:
                    head.extend(data)
                    if len(head) >= _START:
                        after = 4 + int.from_bytes(head[4:6], "big") if head[2:4] == b"\xff\xe0" else 2
                        file.write(b"\xff\xd8" + segments(metadata) + bytes(head[after:]))
                return len(data)

            target.on_write(write)
            mode = "off" if subsampling == "4:4:4" else "on"
            image.jpegsave_target(target, Q=quality, subsample_mode=mode, optimize_coding=False, keep="none")
        except BaseException as error:
            self._failure = error
        finally:
            os.close(reading)
