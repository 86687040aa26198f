"""Tiled is untiled, bit for bit: every shipped network, both runtimes, pictures of every kind, file to file too."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from subpixel.errors import UsageError
from subpixel.media.formats.raster import Raster
from subpixel.media.metadata import Metadata
from subpixel.media.picture import PictureRows, from_array, to_array
from subpixel.media.resample import StripResizer, imresize
from subpixel.media.writing import write_picture
from subpixel.models import ZOO
from subpixel.runtime.session import installed
from subpixel.upscaling.choice import Upscalers
from subpixel.upscaling.files import Limits, enlarge_file
from subpixel.upscaling.memory import resident
from subpixel.upscaling.pictures import enlarge
from subpixel.upscaling.strips import enlarged, grid
from subpixel.upscaling.target import Target
from subpixel.upscaling.upscaler import open_upscaler

SHIPPED = [(name, scale) for name, model in ZOO.items() for scale in model.shipped]
WAYS = [
    (name, precision)
    for name, precision in (("onnxruntime", "f32"), ("openvino", "f32"), ("openvino", "bf16"), ("openvino", "int8"))
    if installed(name)
]


def opened(model, scale, runtime, precision, threads):
    try:
        return open_upscaler(model, scale, runtime=runtime, precision=precision, threads=threads)
    except UsageError as error:
        pytest.skip(str(error))  # bf16 or int8 on a processor without it


def random_picture(rng, height, width, channels, bits):
    """Noise, flat parts and transparent holes."""
    pixels = rng.integers(0, 1 << bits, (height, width, channels))
    pixels[: height // 3] = pixels[0, 0]
    if channels in (2, 4):
        holes = rng.random((height // 8 + 1, width // 8 + 1)).repeat(8, 0).repeat(8, 1)[:height, :width]
        pixels[..., -1] = np.where(holes < 0.5, 0, pixels[..., -1])
    return from_array(pixels.astype(np.uint8 if bits == 8 else np.uint16))


def in_tiles(picture, upscaler, window, size=None):
    return np.concatenate(list(enlarged(PictureRows(picture), upscaler, size=size, window=window)))


@pytest.mark.parametrize(("runtime", "precision"), WAYS)
@pytest.mark.parametrize(("model", "scale"), SHIPPED)
def test_fifty_random_sizes_and_tile_sizes(model, scale, runtime, precision):
    rng = np.random.default_rng(scale)
    upscaler = opened(model, scale, runtime, precision, threads=1)
    several = 0
    for _ in range(50):
        height, width = (int(rng.integers(1, 70)) for _ in range(2))
        channels, bits = int(rng.choice((1, 1, 2, 3, 3, 4))), int(rng.choice((8, 8, 16)))
        picture = random_picture(rng, height, width, channels, bits)
        window = int(rng.integers(20, 60)), int(rng.integers(20, 60))
        whole, tiled = to_array(enlarge(picture, upscaler)), in_tiles(picture, upscaler, window)
        np.testing.assert_array_equal(tiled.reshape(whole.shape), whole)
        several += len(grid(picture.raster, upscaler, window)) > 1
    assert several > 15


@pytest.mark.parametrize(("runtime", "precision"), WAYS)
@pytest.mark.parametrize("model", ["espcn", "small"])
def test_tiles_of_the_sizes_that_are_used(model, runtime, precision):
    """Far larger ones, where a runtime might choose another algorithm."""
    rng = np.random.default_rng(0)
    upscaler = opened(model, 2, runtime, precision, threads=2)
    picture = random_picture(rng, 400, 600, 1, 8)
    whole = to_array(enlarge(picture, upscaler))
    for window in ((128, 512), (320, 320)):
        np.testing.assert_array_equal(in_tiles(picture, upscaler, window)[..., 0], whole)


@pytest.mark.parametrize("spoil", ["halo", "fill"])
def test_too_little_overlap_would_be_noticed(monkeypatch, spoil):
    rng = np.random.default_rng(1)
    upscaler = open_upscaler("espcn", 2, runtime="onnxruntime", threads=1)
    picture = random_picture(rng, 90, 80, 4 if spoil == "fill" else 3, 8)
    whole = to_array(enlarge(picture, upscaler))
    if spoil == "fill":
        monkeypatch.setattr("subpixel.upscaling.strips.FILL_REACH", 0)
    else:
        monkeypatch.setattr("subpixel.upscaling.strips._CUBIC_HALO", 0)
        monkeypatch.setattr(type(upscaler), "tile", (768, 3))
    assert (in_tiles(picture, upscaler, (24, 24)) != whole).any()


# Any scale, any size.


@pytest.mark.parametrize("shape", [(61, 50), (100, 100), (17, 31), (1, 1), (200, 40)])
def test_resizing_in_strips_is_imresize(shape):
    rng = np.random.default_rng(2)
    picture = rng.random((60, 70, 3)).astype(np.float32) * 255
    whole = StripResizer((60, 70), shape).feed(picture)
    np.testing.assert_allclose(whole, imresize(picture.astype(np.float64), shape=shape), atol=1e-3)
    for _ in range(5):
        cuts = sorted({0, 60, *map(int, rng.integers(1, 60, 6))})
        resizer = StripResizer((60, 70), shape)
        parts = [resizer.feed(picture[a:b]) for a, b in pairwise(cuts)]
        np.testing.assert_array_equal(np.concatenate(parts), whole)


@pytest.mark.parametrize("scale", [1.2, 2.5, 3.7, 5, 6, 9.25])
@pytest.mark.parametrize("model", ["espcn", "bicubic"])
def test_any_scale_in_tiles(model, scale):
    rng = np.random.default_rng(3)
    picture = random_picture(rng, 40, 53, 4, 8)
    target = Target(Fraction(str(scale)))
    size = target.size(53, 40)
    upscaler = Upscalers(model, threads=1).for_target(target, (53, 40), size)
    whole = to_array(enlarge(picture, upscaler, size=size))
    assert whole.shape == (size[1], size[0], 4)
    assert size == (int(53 * scale + 0.5), int(40 * scale + 0.5))
    np.testing.assert_array_equal(in_tiles(picture, upscaler, (50, 64), size), whole)


@pytest.mark.parametrize(
    ("factor", "scale"),
    [("1.5", 2), ("2", 2), ("2.01", 3), ("3", 3), ("4", 4), ("4.5", 6), ("6", 6), ("7", 8), ("8", 8), ("13", 16),
     ("17", 18), ("60", 64)],
)  # fmt: skip
def test_the_least_network_or_chain_that_reaches_a_scale(factor, scale):
    assert Upscalers("espcn", threads=1).at_least(Fraction(factor)).scale == scale


def test_a_chain_is_one_after_the_other():
    rng = np.random.default_rng(4)
    upscalers = Upscalers("espcn", runtime="onnxruntime", threads=1)
    rgb = rng.random((20, 24, 3)).astype(np.float32) * 255
    chained = upscalers.at_least(Fraction(6)).upscale_rgb(rgb)
    by_hand = upscalers.at_least(Fraction(2)).upscale_rgb(upscalers.at_least(Fraction(3)).upscale_rgb(rgb))
    np.testing.assert_array_equal(chained, by_hand)


# From file to file under a bound on the memory.


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("ending", ["png", "tif"])
def test_in_strips_from_file_to_file(tmp_path, monkeypatch, ending, channels, bits):
    rng = np.random.default_rng(channels)
    picture = random_picture(rng, 150, 90, channels, bits)
    write_picture(picture, tmp_path / f"in.{ending}")
    upscalers, target = Upscalers("espcn", runtime="onnxruntime", threads=1), Target(Fraction(2))
    monkeypatch.setattr("subpixel.upscaling.files.window_within", lambda *_, **__: (60, 60))
    for name, limits in (("whole", Limits()), ("strips", Limits(memory=resident() + (1 << 30)))):
        enlarge_file(tmp_path / f"in.{ending}", tmp_path / f"{name}.png", upscalers, target, limits=limits)
    assert (tmp_path / "strips.png").read_bytes() == (tmp_path / "whole.png").read_bytes()


def test_a_window_that_keeps_the_bound_is_smaller_for_a_smaller_bound(monkeypatch):
    from subpixel.errors import InputError
    from subpixel.upscaling.memory import window_within

    base = 300 << 20
    monkeypatch.setattr("subpixel.upscaling.memory.resident", lambda: base)  # other tests' memory comes and goes
    upscaler = open_upscaler("espcn", 2, runtime="onnxruntime", threads=1)

    class Source:
        raster, metadata, notices, in_pieces = Raster(20000, 20000, 3), Metadata(), [], True

    windows = []
    for megabytes in (2000, 400, 200):
        limit = base + (megabytes << 20)
        windows.append(window_within(limit, Source, upscaler, (40000, 40000), at_once=False, name="large.png"))
    assert windows == sorted(windows, reverse=True)
    assert windows[0] > windows[-1]
    with pytest.raises(InputError, match=r"large.png: its 20000×20000 pixels to 40000×40000 need --memory \d+M or so"):
        window_within(base + (50 << 20), Source, upscaler, (40000, 40000), at_once=False, name="large.png")
    with pytest.raises(InputError, match="the result's format cannot be written in strips"):
        window_within(base + (2000 << 20), Source, upscaler, (40000, 40000), at_once=True, name="large.png")
