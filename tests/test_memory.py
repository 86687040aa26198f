"""--memory is a promise: the process's largest resident memory, as the operating system measured it."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from subpixel import upscale_file
from subpixel.errors import InputError, UsageError
from subpixel.media.formats.raster import Raster
from subpixel.media.metadata import Metadata
from subpixel.media.writing import write_rows
from subpixel.models import load
from subpixel.runtime.footprint import bytes_per_pixel
from subpixel.upscaling.memory import parse_memory, resident

PHOTO = Path(__file__).parent / "data" / "colosseum.png"
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the unit of ru_maxrss is Linux's")


def large(path: Path, width: int, height: int) -> None:
    """A photo, repeated; written by rows."""
    with Image.open(PHOTO) as image:
        band = np.tile(np.asarray(image.convert("RGB")), (1, -(-width // image.width), 1))[:, :width]
    pieces = (band[: min(len(band), height - first)] for first in range(0, height, len(band)))
    write_rows(path, Raster(width, height, 3), pieces, Metadata(), in_pieces=True)


# A process's figure begins with that of the process that started it, so the test's own must not start it.
_MEASURE = (
    "import resource, subprocess, sys; done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)\n"
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(done.returncode)"
)


def most_resident(*arguments: object) -> int:
    """Bytes that `subpixel upscale` had in memory at its largest."""
    command = [sys.executable, "-m", "subpixel", "upscale", *map(str, arguments)]
    done = subprocess.run([sys.executable, "-c", _MEASURE, *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return int(done.stdout) << 10


@linux
def test_a_small_bound(tmp_path):
    large(tmp_path / "in.png", 4500, 1200)
    bound = most_resident(
        tmp_path / "in.png", "-o", tmp_path / "out.tif", "--model", "bicubic", "--scale", 2, "--memory", "224M"
    )
    assert bound < 224 << 20
    with Image.open(tmp_path / "out.tif") as image:
        assert image.size == (9000, 2400)


@linux
@pytest.mark.long
@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_a_picture_of_12000_by_9000_within_a_gigabyte(tmp_path, runtime):
    large(tmp_path / "in.png", 12000, 9000)
    out = tmp_path / "out.png"
    most = most_resident(tmp_path / "in.png", "-o", out, "--scale", 2, "--memory", "1G", "--runtime", runtime)
    print(f"{runtime}: {most / (1 << 20):.0f} MiB")
    assert most < 1 << 30


@linux
@pytest.mark.long
@pytest.mark.parametrize("ending", ["png", "jpg", "tif"])
def test_a_picture_of_20000_by_20000_within_half_a_gigabyte(tmp_path, ending):
    large(tmp_path / f"in.{ending}", 20000, 20000)
    arguments = ["--model", "bicubic", "--scale", 2, "--memory", "512M"]
    most = most_resident(tmp_path / f"in.{ending}", "-o", tmp_path / f"out.{ending}", *arguments)
    print(f"{ending}: {most / (1 << 20):.0f} MiB")
    assert most < 512 << 20


@pytest.mark.parametrize("ending", ["bmp", "webp", "gif"])
def test_what_cannot_be_read_in_strips_is_refused_before_it_is_decoded(tmp_path, monkeypatch, ending):
    Image.new("L", (9000, 5000)).save(tmp_path / f"in.{ending}")
    monkeypatch.setattr(Image.Image, "load", lambda image: pytest.fail("decoded"))
    kind = ending.upper()
    with pytest.raises(
        InputError, match=rf"{kind} is unpacked as a whole, and 9000×5000 pixels take --memory \d+M or so"
    ):
        upscale_file(tmp_path / f"in.{ending}", tmp_path / "out.png", 2, "bicubic", memory=resident() + (100 << 20))
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize("kind", ["progressive.jpg", "interlaced.png"])
def test_what_is_stored_in_passes_needs_room_for_all_of_it(tmp_path, kind):
    import pyvips

    picture = pyvips.Image.black(4000, 3000, bands=3).copy(interpretation="srgb")
    picture.write_to_file(str(tmp_path / kind), interlace=True)
    sentence = (
        rf"{kind}: it is stored in passes, interlaced or progressive, and cannot be read in strips; its 4000×3000 "
        r"pixels to 8000×6000 need --memory (\d+)M or so: save it as a plain PNG or TIFF, or write one"
    )
    with pytest.raises(InputError, match=sentence):
        upscale_file(tmp_path / kind, tmp_path / "out.png", 2, "bicubic", memory=resident() + (100 << 20))
    assert [path.name for path in tmp_path.iterdir()] == [kind]


def test_an_animation_that_does_not_fit(tmp_path):
    frames = [Image.new("L", (400, 300), n) for n in range(60)]
    frames[0].save(tmp_path / "in.gif", save_all=True, append_images=frames[1:], duration=40)
    with pytest.raises(InputError, match=r"its 60 frames of 1600×1200 are encoded together, which takes --memory"):
        upscale_file(tmp_path / "in.gif", tmp_path / "out.gif", 4, "bicubic", memory=resident() + (100 << 20))


@pytest.mark.parametrize(
    ("text", "amount"),
    [("512M", 512 << 20), ("1G", 1 << 30), ("1.5GiB", 3 << 29), ("300mb", 300 << 20), ("134217728", 1 << 27)],
)
def test_amounts(text, amount):
    assert parse_memory(text) == amount


@pytest.mark.parametrize("text", ["", "M", "1X", "-1G", "1 000M", "63M"])
def test_no_amounts(text):
    with pytest.raises(UsageError, match=r"memory '?.*(is no amount|is less than the program itself takes)"):
        parse_memory(text)


def test_what_a_graph_takes():
    """ESPCN: 64 maps and 32 maps of float32 at once, and a little."""
    assert 4 * (64 + 32) <= bytes_per_pixel(load("espcn", 3).to_onnx()) <= 4 * (64 + 64)
