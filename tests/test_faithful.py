"""What other programs put into a picture comes back: files made and judged by exiftool, ImageMagick and ffmpeg."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from subpixel import upscale_file
from subpixel.media.image import read_picture
from subpixel.media.picture import to_array
from subpixel.upscaling.memory import resident

PHOTO = Path(__file__).parent / "data" / "colosseum.png"


def tool(*names):
    """The first of some programs that the system has; a test that needs it is skipped where there is none."""
    found = next((path for path in map(shutil.which, names) if path), None)
    return found or pytest.skip(f"{names[0]} is not installed on this system")


def run(program, *arguments):
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout


def convert(*arguments):
    return run(tool("magick", "convert"), *arguments)


def tags(path):
    """All that exiftool finds, by group and name."""
    return json.loads(run(tool("exiftool"), "-json", "-G1", "-a", "-n", path))[0]


@pytest.fixture
def dressed(tmp_path):
    """A photo with metadata of every sort, as exiftool writes it, in the format asked for."""

    def make(ending, orientation=1):
        path = tmp_path / f"in.{ending}"
        with Image.open(PHOTO) as image:
            small = image.convert("RGB").crop((0, 0, 60, 40))
            profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
            small.save(path, icc_profile=profile)
        run(
            tool("exiftool"), "-q", "-overwrite_original", "-n",
            "-EXIF:Make=Kamera AG", "-EXIF:Model=Modell 7", "-EXIF:Artist=A. Photographer", "-EXIF:Copyright=CC0",
            "-EXIF:DateTimeOriginal=2021:05:06 07:08:09", "-EXIF:ExposureTime=0.005", "-EXIF:FNumber=2.8",
            "-EXIF:ISO=200", "-EXIF:ExifImageWidth=60", "-EXIF:ExifImageHeight=40", f"-EXIF:Orientation={orientation}",
            "-GPS:GPSLatitude=48.8584", "-GPS:GPSLatitudeRef=N", "-GPS:GPSLongitude=2.2945", "-GPS:GPSLongitudeRef=E",
            "-IPTC:Caption-Abstract=Old walls", "-IPTC:Keywords=stone", "-Comment=by hand",
            "-XMP-dc:Title=Ruins", "-XMP-xmp:Rating=4", f"-XMP-tiff:Orientation={orientation}", path,
        )  # fmt: skip
        return path

    return make


def within() -> int:
    """A bound that the picture keeps: it is the whole process's, and the tests before took what they took."""
    return resident() + (1 << 30)


KEPT = {
    "IFD0:Make": "Kamera AG", "IFD0:Model": "Modell 7", "IFD0:Artist": "A. Photographer", "IFD0:Copyright": "CC0",
    "ExifIFD:DateTimeOriginal": "2021:05:06 07:08:09", "ExifIFD:ExposureTime": 0.005, "ExifIFD:FNumber": 2.8,
    "ExifIFD:ISO": 200, "ExifIFD:ExifImageWidth": 120, "ExifIFD:ExifImageHeight": 80,
    "XMP-dc:Title": "Ruins", "XMP-xmp:Rating": 4, "ICC-header:ColorSpaceData": "RGB ",
}  # fmt: skip


@pytest.mark.parametrize("bounded", [False, True])
@pytest.mark.parametrize("ending", ["jpg", "png", "tif", "webp", "avif"])
@pytest.mark.parametrize("source", ["jpg", "png", "tif", "webp"])
def test_what_exiftool_wrote_exiftool_finds(dressed, tmp_path, source, ending, bounded):
    if bounded and (source in ("webp",) or ending in ("webp", "avif")):
        pytest.skip("not read or not written in strips")
    out = tmp_path / f"out.{ending}"
    done = upscale_file(dressed(source), out, 2, "bicubic", memory=within() if bounded else None)
    assert done.notices == []
    found = tags(out)
    assert {name: found.get(name) for name in KEPT} == KEPT
    assert found["GPS:GPSLatitude"] == pytest.approx(48.8584, abs=1e-4)
    assert found["GPS:GPSLongitude"] == pytest.approx(2.2945, abs=1e-4)
    if source in ("jpg", "tif") and ending in ("jpg", "tif"):
        assert (found["IPTC:Caption-Abstract"], found["IPTC:Keywords"]) == ("Old walls", "stone")
    if source == ending == "jpg":
        assert found["File:Comment"] == "by hand"
    if source == ending == "png":
        assert found["PNG:Comment"] == "by hand"
    assert "ExifTool:Warning" not in found
    assert "ExifTool:Error" not in found


@pytest.mark.parametrize("bounded", [False, True])
@pytest.mark.parametrize("ending", ["jpg", "png", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_once_and_reset(dressed, tmp_path, ending, orientation, bounded):
    path = dressed(ending, orientation)
    out = tmp_path / "out.png"
    upscale_file(path, out, 2, "bicubic", memory=within() if bounded else None)
    found = tags(out)
    assert found.get("IFD0:Orientation", 1) == 1
    assert found.get("XMP-tiff:Orientation", 1) == 1
    turned = orientation >= 5
    assert (found["PNG:ImageWidth"], found["PNG:ImageHeight"]) == ((80, 120) if turned else (120, 80))
    assert found["ExifIFD:ExifImageWidth"] == (80 if turned else 120)
    how = {2: "-flop", 3: "-rotate 180", 4: "-flip", 5: "-transpose", 6: "-rotate 90", 7: "-transverse",
           8: "-rotate 270"}.get(orientation, "-auto-orient")  # fmt: skip
    convert(path, *how.split(), tmp_path / "upright.png")
    run(tool("exiftool"), "-q", "-overwrite_original", "-all=", tmp_path / "upright.png")
    by_others = read_picture(tmp_path / "upright.png").pixels.repeat(2, 0).repeat(2, 1)
    assert np.abs(read_picture(out).pixels.astype(int) - by_others).mean() < 6


def test_a_thumbnail_stays_with_an_upright_picture_only(dressed, tmp_path):
    small = tmp_path / "thumb.jpg"
    Image.new("RGB", (16, 12), (200, 0, 0)).save(small)
    for orientation in (1, 6):
        path = dressed("jpg", orientation)
        run(tool("exiftool"), "-q", "-overwrite_original", f"-ThumbnailImage<={small}", path)
        assert "IFD1:ThumbnailLength" in tags(path)
        upscale_file(path, tmp_path / "out.jpg", 2, "bicubic")
        found = tags(tmp_path / "out.jpg")
        assert ("IFD1:ThumbnailLength" in found) == (orientation == 1)
        assert found["IFD0:Make"] == "Kamera AG"


@pytest.mark.parametrize("ending", ["png", "tif"])
@pytest.mark.parametrize("kind", ["rgb", "rgba", "grey", "grey-alpha"])
def test_sixteen_bits_of_imagemagick(tmp_path, kind, ending):
    made = {
        "rgb": ["-size", "40x30", "gradient:red-blue", "-type", "TrueColor"],
        "rgba": ["-size", "40x30", "gradient:red-transparent", "-blur", "0x1", "-type", "TrueColorAlpha"],
        "grey": ["-size", "40x30", "gradient:", "-type", "Grayscale"],
        "grey-alpha": ["-size", "40x30", "gradient:black-transparent", "-blur", "0x1", "-type", "GrayscaleAlpha"],
    }[kind]
    path, out = tmp_path / f"in.{ending}", tmp_path / f"out.{ending}"
    convert(*made, "-depth", "16", "-define", "png:bit-depth=16", path)
    upscale_file(path, out, 2, "bicubic")
    small, large = to_array(read_picture(path)), to_array(read_picture(out))
    assert small.dtype == large.dtype == np.uint16
    assert len(np.unique(large)) > 40  # levels between the source's 30 rows
    depth, opacity = convert(out, "-format", "%z %A", "info:").decode().split()[:2]
    assert depth == "16"
    assert (opacity in ("True", "Blend")) == (kind in ("rgba", "grey-alpha"))
    convert(out, "-depth", "16", tmp_path / "again.tif")
    np.testing.assert_array_equal(to_array(read_picture(tmp_path / "again.tif")), large)


def test_sixteen_bits_as_ffmpeg_reads_and_writes_them(tmp_path):
    ffmpeg = tool("ffmpeg")
    run(ffmpeg, "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=64x48", "-frames:v", "1", "-pix_fmt", "rgb48be",
        "-vf", "gblur=2", tmp_path / "in.png")  # fmt: skip
    upscale_file(tmp_path / "in.png", tmp_path / "out.png", 2)
    raw = run(ffmpeg, "-v", "error", "-i", tmp_path / "out.png", "-f", "rawvideo", "-pix_fmt", "rgb48le", "-")
    by_ffmpeg = np.frombuffer(raw, "<u2").reshape(96, 128, 3)
    np.testing.assert_array_equal(read_picture(tmp_path / "out.png").pixels, by_ffmpeg)
    assert len(np.unique(by_ffmpeg)) > 256


@pytest.mark.parametrize("source", ["gif", "webp", "png"])
@pytest.mark.parametrize("ending", ["gif", "webp", "apng"])
def test_animations_keep_their_frames_and_durations(tmp_path, source, ending):
    """Made by ImageMagick or ffmpeg with frames that change a part alone, and judged by Pillow and ffprobe."""
    path = tmp_path / f"in.{source}"
    frames = [Image.new("RGB", (32, 24), (0, 0, 90)) for _ in range(3)]
    for n, frame in enumerate(frames):
        frame.paste((250, 200, 0), (8 * n, 4, 8 * n + 9, 15))
        frame.save(tmp_path / f"{n}.png")
    names = [tmp_path / f"{n}.png" for n in range(3)]
    if source == "png":
        run(tool("ffmpeg"), "-v", "error", "-framerate", "10", "-i", tmp_path / "%d.png", "-plays", "0", "-f", "apng",
            path)  # fmt: skip
    else:
        timed = [part for n, name in zip((4, 8, 20), names, strict=True) for part in ("-delay", n, name)]
        convert(*timed, "-loop", "0", "-layers", "optimize", path)
    with Image.open(path) as image:
        durations = []
        for n in range(3):
            image.seek(n)
            image.load()
            durations.append(image.info["duration"])
    assert len(set(durations)) == (1 if source == "png" else 3)
    out = tmp_path / f"out.{ending}"
    upscale_file(path, out, 2, "bicubic")
    with Image.open(out) as image:
        assert image.n_frames == 3
        assert image.info.get("loop") == 0
        for n, duration in enumerate(durations):
            image.seek(n)
            image.load()
            assert image.info["duration"] == duration
            shown = np.asarray(image.convert("RGB")).astype(int)
            expected = np.asarray(frames[n]).repeat(2, 0).repeat(2, 1).astype(int)
            assert np.abs(shown - expected).mean() < 12
    if ending != "webp":  # whose animations ffmpeg does not read
        shown = run(tool("ffprobe"), "-v", "error", "-count_frames", "-of", "csv=p=0", "-show_entries",
                    "stream=nb_read_frames", out)  # fmt: skip
        assert shown.strip() == b"3"


def test_cmyk_of_imagemagick_becomes_rgb_with_a_note(tmp_path):
    convert(PHOTO, "-colorspace", "CMYK", tmp_path / "in.jpg")
    done = upscale_file(tmp_path / "in.jpg", tmp_path / "out.jpg", 2, "bicubic")
    assert [note.split(": ")[-1] for note in done.notices] == ["CMYK is converted to RGB"]
    with Image.open(PHOTO) as image:
        expected = np.asarray(image.convert("RGB")).repeat(2, 0).repeat(2, 1).astype(int)
    assert np.abs(read_picture(tmp_path / "out.jpg").pixels - expected).mean() < 12


def test_palette_and_interlace_of_imagemagick(tmp_path):
    convert(PHOTO, "-colors", "32", f"PNG8:{tmp_path / 'palette.png'}")
    convert(PHOTO, "-interlace", "PNG", tmp_path / "interlaced.png")
    convert(PHOTO, "-interlace", "JPEG", tmp_path / "progressive.jpg")
    for name in ("palette.png", "interlaced.png", "progressive.jpg"):
        outs = []
        for memory in (None, within()):
            outs.append(tmp_path / f"out-{len(outs)}.png")
            upscale_file(tmp_path / name, outs[-1], 2, "bicubic", memory=memory)
        same = outs[0].read_bytes() == outs[1].read_bytes()
        assert same, name
