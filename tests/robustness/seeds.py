"""Small valid pictures of every kind that is read, to be mutated."""

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

from subpixel.media.formats.exif import without_prefix
from subpixel.media.metadata import Metadata
from subpixel.media.picture import from_array
from subpixel.media.writing import write_picture


def metadata() -> Metadata:
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "Kamera", 6
    exif[0x8769] = {0x9003: "2020:02:02 02:02:02", 0xA002: 21, 0xA003: 17, 0x927C: b"maker's own"}
    exif[0x8825] = {1: "N", 2: (48.0, 51.0, 29.0)}
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><r tiff:Orientation="6" exif:PixelXDimension="21"/></x:xmpmeta>'
    return Metadata(profile, without_prefix(exif.tobytes()), xmp, (300.0, 300.0))


def write_seeds(folder: Path) -> list[Path]:
    """Make them; about 35 files of a kilobyte or so."""
    rng = np.random.default_rng(7)
    rgb = (np.add.outer(np.arange(17), np.arange(21))[..., None] * [5, 3, 2] % 256).astype(np.uint8)
    rgb[4:9, 5:12] = rng.integers(0, 256, (5, 7, 3))
    rgba = np.dstack([rgb, (rgb[..., 0] > 40) * np.uint8(255)])
    image, clear = Image.fromarray(rgb), Image.fromarray(rgba)
    beside = metadata()
    found = []

    def save(name: str, picture: Image.Image, kind: str, **options: object) -> None:
        content = io.BytesIO()
        picture.save(content, kind, **options)
        (folder / name).write_bytes(content.getvalue())
        found.append(folder / name)

    for ending in ("png", "tif", "webp", "avif", "jpg", "bmp"):
        picture = from_array(rgb)
        write_picture(type(picture)(picture.pixels, None, beside), folder / f"beside.{ending}")
        found.append(folder / f"beside.{ending}")
    for name, array in (("grey", rgb[..., 0]), ("rgb", rgb), ("rgba", rgba), ("la", rgba[..., [0, 3]])):
        for ending in ("png", "tif"):
            deep = from_array(array.astype(np.uint16) * 257)
            write_picture(deep, folder / f"deep-{name}.{ending}")
            found.append(folder / f"deep-{name}.{ending}")
    for kind in ("PNG", "TIFF", "WEBP", "AVIF"):
        save(f"clear.{kind.lower()}", clear, kind)
    save("palette.png", image.quantize(16), "PNG", transparency=3)
    save("bits.png", image.convert("1"), "PNG")
    save("palette.bmp", image.quantize(16), "BMP")
    save("grey.bmp", image.convert("L"), "BMP")
    save("progressive.jpg", image, "JPEG", progressive=True, exif=b"Exif\0\0" + (beside.exif or b""))
    save("cmyk.jpg", image.convert("CMYK"), "JPEG")
    save("grey.jpg", image.convert("L"), "JPEG")
    for compression in ("tiff_lzw", "jpeg", "packbits", "tiff_deflate"):
        save(f"{compression}.tif", image, "TIFF", compression=compression)
    save("group4.tif", image.convert("1"), "TIFF", compression="group4")
    save("float.tif", Image.fromarray(rgb[..., 0].astype(np.float32) / 255), "TIFF")
    save("lossless.webp", clear, "WEBP", lossless=True)
    save("still.gif", image.quantize(16), "GIF")
    frames = [Image.fromarray(np.roll(rgb, 5 * n, axis=1)) for n in range(3)]
    for kind in ("GIF", "PNG", "WEBP", "AVIF", "TIFF"):
        options = {} if kind == "TIFF" else {"duration": [40, 80, 120]}
        save(f"moving.{kind.lower()}", frames[0], kind, save_all=True, append_images=frames[1:], **options)
    return found
