"""Pictures in and out: every mode and format, metadata, damage, whole files or none."""

import io
import os
import struct
import subprocess
import sys
import zlib
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from subpixel.errors import InputError, OutputError, UsageError
from subpixel.media import atomic
from subpixel.media.alpha import FILL_REACH, fill_transparent
from subpixel.media.formats import exif as exif_block
from subpixel.media.formats.photoshop import blocks_of, iptc_of
from subpixel.media.image import check_size, open_rows, picture_size, read_picture
from subpixel.media.metadata import Metadata
from subpixel.media.picture import Picture, PictureRows, from_array, from_pillow, to_array, to_pillow
from subpixel.media.tiles import cut
from subpixel.media.writing import write_picture

RNG = np.random.default_rng(0)
ENDINGS = [".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".avif"]


def rgb(height=10, width=14):
    return np.random.default_rng(1).integers(0, 256, (height, width, 3)).astype(np.uint8)


def save(path, array, mode=None, **options):
    image = Image.fromarray(array)
    (image.convert(mode) if mode else image).save(path, **options)
    return path


# Formats.


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_format_in_and_out(tmp_path, ending):
    lossless = ending in (".png", ".tif", ".tiff", ".bmp")
    smooth = np.add.outer(np.arange(40), np.arange(50))[..., None] * np.array([1, 2, 0]) % 256
    picture = Picture((smooth if lossless else smooth // 3).astype(np.uint8))
    path = tmp_path / f"picture{ending}"
    assert write_picture(picture, path) == []
    with Image.open(path) as image:
        assert image.format == {"jpg": "JPEG", "jpeg": "JPEG", "tif": "TIFF"}.get(ending[1:], ending[1:].upper())
    again = read_picture(path)
    assert again.notices == []
    assert again.alpha is None
    assert picture_size(path) == (50, 40)
    difference = np.abs(again.pixels.astype(int) - picture.pixels)
    assert difference.max() == 0 if lossless else difference.mean() < 2


def test_the_content_decides_and_not_the_name(tmp_path):
    path = tmp_path / "photo.jpg"
    Image.fromarray(rgb()).save(path, "PNG")
    np.testing.assert_array_equal(read_picture(path).pixels, rgb())


@pytest.mark.parametrize("ending", [".jp2", ".txt", ""])
def test_other_endings_are_refused(tmp_path, ending):
    with pytest.raises(UsageError, match="pictures are written as PNG, JPEG, WebP, TIFF, BMP, GIF and AVIF, not as"):
        write_picture(Picture(rgb()), tmp_path / f"out{ending}")
    assert list(tmp_path.iterdir()) == []


# Modes.


def test_grey_and_alpha_modes(tmp_path):
    colour, grey, alpha = rgb(), rgb()[..., 0], rgb()[..., 1]
    for array, mode in ((grey, "L"), (colour, "RGB"), (np.dstack([colour, alpha]), "RGBA")):
        picture = read_picture(save(tmp_path / f"{mode}.png", array))
        assert picture.notices == []
        assert to_pillow(picture).mode == mode
        np.testing.assert_array_equal(np.asarray(to_pillow(picture)), array)
    image = Image.merge("LA", [Image.fromarray(grey), Image.fromarray(alpha)])
    image.save(tmp_path / "la.png")
    picture = read_picture(tmp_path / "la.png")
    np.testing.assert_array_equal(picture.pixels, grey)
    np.testing.assert_array_equal(picture.alpha, alpha)
    for ending in (".png", ".tif", ".webp"):
        write_picture(picture, tmp_path / f"out{ending}")
        again = read_picture(tmp_path / f"out{ending}")
        if ending != ".webp":  # lossy
            np.testing.assert_array_equal(again.alpha, alpha)
            np.testing.assert_array_equal(again.pixels if again.is_grey else again.pixels[..., 0], grey)


def test_palette_with_and_without_transparency(tmp_path):
    colours = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255]], np.uint8)
    index = RNG.integers(0, 3, (9, 7))
    image = Image.fromarray(index.astype(np.uint8)).copy()
    image.putpalette(colours.tobytes())
    image.save(tmp_path / "plain.png")
    picture = read_picture(tmp_path / "plain.png")
    np.testing.assert_array_equal(picture.pixels, colours[index])
    assert picture.alpha is None
    image.save(tmp_path / "see-through.png", transparency=1)
    picture = read_picture(tmp_path / "see-through.png")
    np.testing.assert_array_equal(picture.pixels, colours[index])
    np.testing.assert_array_equal(picture.alpha, np.where(index == 1, 0, 255))


def test_one_colour_that_stands_for_transparent(tmp_path):
    array = rgb()
    Image.fromarray(array).save(tmp_path / "key.png", transparency=tuple(map(int, array[3, 4])))
    alpha = read_picture(tmp_path / "key.png").alpha
    assert alpha[3, 4] == 0
    assert (alpha == 0).sum() == 1


def test_one_bit_becomes_grey(tmp_path):
    bits = RNG.integers(0, 2, (8, 9)).astype(bool)
    picture = read_picture(save(tmp_path / "bits.png", bits))
    np.testing.assert_array_equal(picture.pixels, bits * np.uint8(255))


@pytest.mark.parametrize("ending", [".png", ".tif"])
def test_sixteen_bit_grey_is_kept(tmp_path, ending):
    values = RNG.integers(0, 65536, (8, 9)).astype(np.uint16)
    picture = read_picture(save(tmp_path / f"deep{ending}", values))
    assert (picture.pixels.dtype, picture.white, picture.notices) == (np.uint16, 65535, [])
    np.testing.assert_array_equal(picture.pixels, values)
    for out in (".png", ".tif"):
        assert write_picture(picture, tmp_path / f"out{out}") == []
        np.testing.assert_array_equal(read_picture(tmp_path / f"out{out}").pixels, values)
    (notice,) = write_picture(picture, tmp_path / "out.jpg")
    assert "JPEG holds 8 bits a channel, so 16 are written as 8" in notice
    write_picture(picture, tmp_path / "out.bmp")
    np.testing.assert_array_equal(read_picture(tmp_path / "out.bmp").pixels, np.rint(values / 257))


def test_big_endian_sixteen_bit_tiff(tmp_path):
    values = RNG.integers(0, 65536, (8, 9)).astype(np.uint16)
    image = Image.frombytes("I;16B", (9, 8), values.astype(">u2").tobytes())
    np.testing.assert_array_equal(from_pillow(image).pixels, values)


def png16(path, pixels):
    """Pillow cannot write 16-bit colour, so this does."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width, channels = pixels.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 16, {2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
    content = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + content)
    return path


@pytest.mark.parametrize("channels", [2, 3, 4])
@pytest.mark.parametrize("ending", [".png", ".tif"])
def test_sixteen_bit_colour_and_alpha_are_kept(tmp_path, channels, ending):
    values = RNG.integers(0, 65536, (4, 5, channels)).astype(np.uint16)
    picture = read_picture(png16(tmp_path / "deep.png", values))
    assert picture.notices == []
    np.testing.assert_array_equal(to_array(picture), values)
    assert write_picture(picture, tmp_path / f"out{ending}") == []
    np.testing.assert_array_equal(to_array(read_picture(tmp_path / f"out{ending}")), values)
    (notice,) = write_picture(picture, tmp_path / "out.webp")
    assert "WEBP holds 8 bits a channel, so 16 are written as 8: PNG and TIFF keep 16" in notice
    assert to_pillow(picture).mode == {2: "LA", 3: "RGB", 4: "RGBA"}[channels]
    np.testing.assert_array_equal(np.asarray(to_pillow(picture)), np.rint(values / 257))


def test_sixteen_bit_colour_without_libvips(tmp_path, monkeypatch):
    png16(tmp_path / "deep.png", RNG.integers(0, 65536, (4, 5, 3)))
    monkeypatch.setattr("subpixel.media.image.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"deep.png has 16 bits a channel, which needs libvips: pip install"):
        read_picture(tmp_path / "deep.png")


def test_integers_and_floats(tmp_path):
    values = RNG.integers(0, 65536, (6, 5)).astype(np.int32)
    values[0, :2] = 0, 65535
    np.testing.assert_array_equal(from_pillow(Image.fromarray(values)).pixels, values)
    floats = RNG.random((6, 5)).astype(np.float32)
    for white in (1, 255):
        scaled = floats * np.float32(white)
        scaled[0, 0] = white
        picture = read_picture(save(tmp_path / f"float{white}.tif", scaled))
        assert f"read as 0..{white}" in picture.notices[0]
        np.testing.assert_allclose(picture.pixels, scaled.astype(float) * 65535 / white, atol=0.51)
    for bad in (values - 1000, values + 70000, floats * 1000, floats - 1, floats * np.nan):
        with pytest.raises(InputError, match="have no reading as a picture"):
            from_pillow(Image.fromarray(bad))


def test_cmyk_is_converted_with_a_notice(tmp_path):
    flat = np.zeros((4, 4, 4), np.uint8)
    flat[..., 1] = 255  # magenta ink alone
    Image.fromarray(flat, "CMYK").save(tmp_path / "print.jpg", quality=100)
    picture = read_picture(tmp_path / "print.jpg")
    assert picture.notices == [f"{tmp_path / 'print.jpg'}: CMYK is converted to RGB"]
    assert picture.metadata.icc is None
    np.testing.assert_allclose(picture.pixels[0, 0], [255, 0, 255], atol=2)


def test_lab_goes_by_its_meaning():
    white = np.zeros((2, 2, 3), np.uint8)
    white[..., 0] = 255
    np.testing.assert_allclose(from_pillow(Image.fromarray(white, "LAB")).pixels, 255, atol=2)


def test_arrays():
    for array in (rgb(), rgb()[..., 0], np.dstack([rgb(), rgb()[..., 0]]), rgb()[..., :2]):
        for kind in (np.uint8, np.uint16):
            picture = from_array(array.astype(kind))
            np.testing.assert_array_equal(to_array(picture), array)
            assert to_array(picture).dtype == kind
    assert from_array(np.dstack([rgb(), rgb()[..., 0]])).alpha.shape == (10, 14)
    assert from_array(rgb()[..., :1]).pixels.shape == (10, 14)
    for bad in (rgb().astype(np.float32), np.dstack([rgb()] * 2), rgb()[:0], rgb().astype(int), np.zeros(3, np.uint8)):
        with pytest.raises(UsageError, match=r"is not a picture: give uint8 or uint16, \[H, W\]"):
            from_array(bad)


# What travels beside the pixels.


def camera_exif(orientation=6):
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "Kamera", orientation
    exif[0x8769] = {0x9003: "2020:02:02 02:02:02", 0xA002: 14, 0xA003: 10}
    exif[0x8825] = {1: "N"}
    return exif.tobytes()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", [".png", ".jpg", ".webp", ".tif"])
def test_orientation_is_applied_once(tmp_path, ending, orientation):
    corner = np.zeros((16, 24, 3), np.uint8)
    corner[:8, :8] = 255
    options = {"quality": 100} if ending in (".jpg", ".webp") else {}
    save(tmp_path / f"in{ending}", corner, exif=camera_exif(orientation), **options)
    picture = read_picture(tmp_path / f"in{ending}")
    turned = {1: lambda a: a, 2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud,
              5: lambda a: a.swapaxes(0, 1), 6: lambda a: np.rot90(a, -1),
              7: lambda a: np.rot90(a, 2).swapaxes(0, 1), 8: np.rot90}[orientation](corner)  # fmt: skip
    assert picture.pixels.shape == turned.shape
    assert np.abs(picture.pixels.astype(int) - turned).max() < 30
    write_picture(picture, tmp_path / "out.png")
    np.testing.assert_array_equal(read_picture(tmp_path / "out.png").pixels, picture.pixels)
    with Image.open(tmp_path / "out.png") as image:
        assert image.getexif().get(0x0112, 1) == 1


@pytest.mark.parametrize("ending", [".png", ".jpg", ".webp", ".tif"])
@pytest.mark.parametrize("source", [".png", ".jpg", ".webp", ".tif"])
def test_exif_and_profile_are_kept(tmp_path, source, ending):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    save(tmp_path / f"in{source}", rgb(), exif=camera_exif(1), icc_profile=profile)
    picture = read_picture(tmp_path / f"in{source}")
    larger = replace(picture, pixels=picture.pixels.repeat(3, 0).repeat(3, 1))
    assert write_picture(larger, tmp_path / f"out{ending}") == []
    with Image.open(tmp_path / f"out{ending}") as image:
        exif = image.getexif()
        assert image.info["icc_profile"] == profile
        assert exif[0x010F] == "Kamera"
        assert exif.get_ifd(0x8769) == {0x9003: "2020:02:02 02:02:02", 0xA002: 42, 0xA003: 30}
        assert exif.get_ifd(0x8825) == {1: "N"}


def test_a_header_is_read_without_decoding(tmp_path, monkeypatch):
    save(tmp_path / "plain.png", rgb())
    monkeypatch.setattr(Image.Image, "load", lambda image: pytest.fail("decoded"))
    assert picture_size(tmp_path / "plain.png") == (14, 10)


def test_metadata_behind_the_pixels_of_a_png(tmp_path):
    """Where a reader by rows would come too late; the orientation counts there too."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    content = encoded("PNG", rgb())
    end = content.index(b"IEND") - 4
    xmp = b"<x:xmpmeta>late</x:xmpmeta>"
    late = chunk(b"eXIf", exif_block.without_prefix(camera_exif(6)))
    late += chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp)
    (tmp_path / "late.png").write_bytes(content[:end] + late + content[end:])
    for rows in (PictureRows(read_picture(tmp_path / "late.png")), open_rows(tmp_path / "late.png")):
        np.testing.assert_array_equal(rows.read(99), np.rot90(rgb(), -1))
        assert rows.metadata.xmp == xmp
        assert exif_block.orientation(rows.metadata.exif) == 1
        rows.close()


def test_texts_behind_the_pixels_are_found_by_rows_too(tmp_path):
    texts = PngInfo()
    texts.add_text("Author", "Zoë")
    texts.add_text("Comment", "packed " * 50, zip=True)
    texts.add_itxt("Description", "石の壁", zip=True)
    save(tmp_path / "in.png", rgb(), pnginfo=texts)
    data, at, chunks = (tmp_path / "in.png").read_bytes(), 8, []
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big") + 12
        chunks.append(data[at : at + length])
        at += length
    moved = [chunk for chunk in chunks if chunk[4:8] in (b"tEXt", b"zTXt", b"iTXt")]
    assert len(moved) == 3
    stay = [chunk for chunk in chunks if chunk not in moved]
    (tmp_path / "late.png").write_bytes(data[:8] + b"".join([*stay[:-1], *moved, stay[-1]]))
    expected = (("Author", "Zoë"), ("Comment", "packed " * 50), ("Description", "石の壁"))
    assert read_picture(tmp_path / "late.png").metadata.texts == expected
    rows = open_rows(tmp_path / "late.png")
    found = rows.metadata.texts
    rows.close()
    assert found == expected


@pytest.mark.parametrize("rows", [False, True])
def test_texts_and_gamma_of_a_png(tmp_path, rows):
    texts = PngInfo()
    texts.add_text("Author", "Zoë")
    texts.add_itxt("Description", "石の壁")
    texts.add(b"gAMA", struct.pack(">I", 100000))
    save(tmp_path / "in.png", rgb(), pnginfo=texts)
    picture = open_rows(tmp_path / "in.png") if rows else read_picture(tmp_path / "in.png")
    write_picture(Picture(rgb(), None, picture.metadata), tmp_path / "out.png")
    if rows:
        picture.close()
    with Image.open(tmp_path / "out.png") as image:
        assert image.info["Author"] == "Zoë"
        assert image.info["Description"] == "石の壁"
        assert image.info["gamma"] == 1.0


def test_iptc_among_resource_blocks():
    blocks = b"8BIM\x03\xed\x03abc\0\0\0\x03xyz\0" + blocks_of(b"old walls")
    assert iptc_of(blocks) == b"old walls"
    for end in range(len(blocks)):
        assert iptc_of(blocks[:end]) in (None, *(b"old walls"[:n] for n in range(1, 10)))
    assert iptc_of(b"") is None


def test_damaged_exif_does_not_cost_the_picture(tmp_path):
    save(tmp_path / "in.jpg", rgb(), exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    picture = read_picture(tmp_path / "in.jpg")
    assert (picture.metadata.exif, picture.pixels.shape) == (None, (10, 14, 3))


def test_exif_too_long_for_a_jpeg_is_left_out_with_a_notice(tmp_path):
    exif = Image.Exif()
    exif[0x8769] = {0x927C: b"maker" * 20000}
    picture = Picture(rgb(), metadata=Metadata(exif=exif_block.without_prefix(exif.tobytes())))
    (notice,) = write_picture(picture, tmp_path / "out.jpg")
    assert "EXIF data does not fit into JPEG and is left out" in notice
    assert read_picture(tmp_path / "out.jpg").pixels.shape == (10, 14, 3)


@pytest.mark.parametrize("ending", [".tif", ".webp", ".png"])
def test_of_several_frames_the_first(tmp_path, ending):
    first, second = Image.fromarray(rgb() // 2), Image.fromarray(255 - rgb() // 2)
    options = {"lossless": True} if ending == ".webp" else {}
    first.save(tmp_path / f"many{ending}", save_all=True, append_images=[second], **options)
    picture = read_picture(tmp_path / f"many{ending}")
    assert picture.notices == [f"{tmp_path / f'many{ending}'}: the first of its 2 frames is taken"]
    np.testing.assert_array_equal(picture.pixels, rgb() // 2)


# Damage.


def encoded(kind, array=None):
    content = io.BytesIO()
    Image.fromarray(rgb(60, 80) if array is None else array).save(content, kind)
    return content.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "BMP"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
def test_cut_short(tmp_path, kind, share):
    content = encoded(kind)
    path = tmp_path / "cut"
    path.write_bytes(content[: max(8, int(len(content) * share))])
    with pytest.raises(InputError, match="cut is damaged or cut short") as caught:
        read_picture(path)
    assert "\n" not in str(caught.value)


def test_noise_in_the_middle_never_ends_in_another_error(tmp_path):
    for kind in ("PNG", "JPEG", "WEBP", "TIFF", "BMP"):
        content = bytearray(encoded(kind))
        for seed in range(30):
            rng = np.random.default_rng(seed)
            damaged = content.copy()
            for place in rng.integers(4, len(damaged), 12 if seed % 2 else 3):
                damaged[place] = int(rng.integers(256))
            (tmp_path / "noise").write_bytes(damaged)
            try:
                assert read_picture(tmp_path / "noise", max_megapixels=1).pixels.size
            except InputError as error:
                assert str(tmp_path / "noise") in str(error)  # noqa: PT017 - either may happen


def test_what_is_no_picture(tmp_path):
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "notes.png").write_text("these are notes, not pixels")
    (tmp_path / "old.ppm").write_bytes(encoded("PPM"))
    for name, message in (
        ("missing.png", "missing.png does not exist: check the name"),
        ("empty.png", r"empty.png is empty \(0 bytes\): fetch it again"),
        (
            "notes.png",
            "notes.png is not a picture of a known kind: PNG, JPEG, WebP, TIFF, BMP, GIF and AVIF are read, convert",
        ),
        ("old.ppm", "old.ppm is not a picture of a known kind"),
        ("", "is a folder, not a picture"),
    ):
        with pytest.raises(InputError, match=message):
            read_picture(tmp_path / name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="pipe is not a regular file: copy the picture to one first"):
        read_picture(tmp_path / "pipe")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(tmp_path):
    save(tmp_path / "locked.png", rgb()).chmod(0)
    with pytest.raises(InputError, match=r"locked.png cannot be read: Permission denied"):
        read_picture(tmp_path / "locked.png")


def bomb(path, side):
    """A PNG of a few bytes that claims side × side pixels."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = b""
    for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 1000)), (b"IEND", b"")):
        chunks += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)
    return path


def test_bombs_are_refused_by_their_headers(tmp_path):
    with pytest.raises(InputError, match="claims more than 179 megapixels, which may be a decompression bomb: cut it"):
        read_picture(bomb(tmp_path / "bomb.png", 40000))
    with pytest.raises(
        InputError,
        match="12000×12000 pixels enlarged ×3 make 1,296 megapixels, over the limit of 268: "
        "crop it, take a smaller scale, or raise --max-megapixels",
    ):
        read_picture(bomb(tmp_path / "large.png", 12000), scale=3)
    with pytest.raises(InputError, match=r"large.png is damaged or cut short"):  # allowed, but it is a lie
        read_picture(bomb(tmp_path / "large.png", 1200), scale=3)


def test_the_limit_is_where_it_is_said_to_be():
    check_size("a", (1000, 1000), 3, 9)
    with pytest.raises(InputError, match=r"make 9 megapixels, over the limit of 8.9"):
        check_size("a", (1000, 1000), 3, 8.9)
    with pytest.raises(InputError, match=r"a has no pixels \(0×5\)"):
        check_size("a", (0, 5), 3, 9)


# Writing: whole or not at all.


def test_what_a_format_cannot_hold(tmp_path):
    see_through = Picture(rgb(), rgb()[..., 0])
    for ending, kind in ((".jpg", "JPEG"), (".bmp", "BMP")):
        with pytest.raises(OutputError, match=f"out{ending}: {kind} cannot hold transparency: write PNG, WebP or TIFF"):
            write_picture(see_through, tmp_path / f"out{ending}")
    for ending, longest in ((".webp", 16383), (".jpg", 65500)):
        wide = Picture(np.zeros((1, longest + 1), np.uint8))
        with pytest.raises(OutputError, match=f"holds at most {longest} pixels a side, not {longest + 1}×1"):
            write_picture(wide, tmp_path / f"out{ending}")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(OutputError, match="there is a folder of that name"):
        write_picture(Picture(rgb()), tmp_path / "folder.png")
    assert [path.name for path in tmp_path.iterdir()] == ["folder.png"]


@pytest.mark.parametrize("step", ["open", "write", "fsync", "replace"])
@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_whatever_fails_the_old_file_stays_and_nothing_else(tmp_path, monkeypatch, step, failure):
    path = tmp_path / "out.png"
    path.write_bytes(b"old")

    def fail(*_, **__):
        raise failure

    if step == "fsync":
        monkeypatch.setattr(atomic.os, "fsync", fail)
    elif step == "replace":
        monkeypatch.setattr(atomic.Path, "replace", fail)
    elif step == "open":
        monkeypatch.setattr(atomic.Path, "open", fail)
    else:

        class Full(io.FileIO):
            write = fail

        monkeypatch.setattr(atomic.Path, "open", lambda self, mode: Full(self, mode.replace("b", "")))
    with pytest.raises(KeyboardInterrupt if isinstance(failure, KeyboardInterrupt) else OutputError) as caught:
        write_picture(Picture(rgb()), path)
    monkeypatch.undo()
    assert [p.name for p in tmp_path.iterdir()] == ["out.png"]
    assert path.read_bytes() == b"old"
    if isinstance(failure, OSError):
        assert str(caught.value) == f"{path} cannot be written (No space left on device): name another place with -o"


@pytest.mark.skipif(sys.platform == "win32", reason="needs RLIMIT_FSIZE")
def test_a_disk_that_is_really_full(tmp_path):
    code = (
        "import resource, signal, sys; from pathlib import Path; import numpy as np\n"
        "from subpixel.media.writing import write_picture; from subpixel.media.picture import Picture\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "write_picture(Picture(np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)), Path(sys.argv[1]))"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "out.png"], capture_output=True, text=True)
    assert f"{tmp_path / 'out.png'} cannot be written (File too large)" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_folders_are_made_and_files_stand_in_the_way(tmp_path):
    write_picture(Picture(rgb()), tmp_path / "a" / "b" / "out.png")
    assert (tmp_path / "a" / "b" / "out.png").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"out.png cannot be written .(Not a directory|File exists)"):
        write_picture(Picture(rgb()), tmp_path / "file" / "out.png")


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_a_result_has_the_permissions_of_any_new_file(tmp_path):
    (tmp_path / "plain").write_text("")
    write_picture(Picture(rgb()), tmp_path / "out.png")
    assert (tmp_path / "out.png").stat().st_mode == (tmp_path / "plain").stat().st_mode


# Colours under transparency.


def test_transparent_pixels_take_the_colours_around_them():
    pixels = np.full((40, 52, 3), 9, np.uint8)
    alpha = np.zeros((40, 52), np.uint8)
    pixels[5:20, 7:30] = (200, 100, 50)
    alpha[5:20, 7:30] = 255
    filled = fill_transparent(pixels, alpha)
    np.testing.assert_array_equal(filled[:36, :46], np.broadcast_to([200, 100, 50], (36, 46, 3)))
    np.testing.assert_array_equal(filled[36:], 9)  # farther off than any kernel looks
    pixels[30:, 40:] = (0, 0, 250)
    alpha[30:, 40:] = 1  # hardly there, but there
    filled = fill_transparent(pixels, alpha)
    np.testing.assert_array_equal(filled[alpha > 0], pixels[alpha > 0])
    np.testing.assert_array_equal(filled[29, 50], (0, 0, 250))
    np.testing.assert_array_equal(filled[4, 6], (200, 100, 50))


@pytest.mark.parametrize("window", [33, 40, 64])
def test_filling_a_tile_is_filling_the_whole(window):
    rng = np.random.default_rng(window)
    pixels = rng.integers(0, 65536, (90, 100, 3)).astype(np.uint16)
    alpha = (rng.random((90, 100)) < 0.01) * np.uint16(65535)
    whole = fill_transparent(pixels, alpha)
    for rows, columns in cut((90, 100), (window, window), FILL_REACH):
        area = slice(rows.start, rows.stop), slice(columns.start, columns.stop)
        tile = fill_transparent(pixels[area], alpha[area])[rows.kept(), columns.kept()]
        np.testing.assert_array_equal(tile, whole[rows.target(), columns.target()])


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (7, 1), (2, 3)])
def test_filling_pictures_without_anything_visible(shape):
    pixels = RNG.integers(0, 256, shape).astype(np.uint8)
    for level in (0, 9):  # nothing to take colours from; nothing to give them to
        np.testing.assert_array_equal(fill_transparent(pixels, np.full(shape, level, np.uint8)), pixels)
