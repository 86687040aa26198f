"""From file to file, and what Python is offered: sizes, arrays, animations, errors in a sentence."""

from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

import subpixel
from subpixel import InputError, OutputError, UsageError, open_upscaler, upscale, upscale_array, upscale_file
from subpixel.media.image import read_picture
from subpixel.upscaling.target import Target, checked_scale, parse_size


@pytest.fixture
def pixels(photo):
    with Image.open(photo) as image:
        return np.asarray(image)


def test_any_scale_and_any_size(photo, tmp_path):
    for n, (options, size) in enumerate(
        [({"scale": 2.5}, (180, 140)), ({"scale": "1.5"}, (108, 84)), ({"size": "100x"}, (100, 78)),
         ({"size": "x112"}, (144, 112)), ({"size": (200, 300)}, (200, 300)), ({}, (216, 168)),
         ({"scale": 7}, (504, 392))]
    ):  # fmt: skip
        assert upscale(photo, **options).size == size
        done = upscale_file(photo, tmp_path / f"{n}.png", **options)
        assert (done.width, done.height) == size
        np.testing.assert_array_equal(read_picture(tmp_path / f"{n}.png").pixels, np.asarray(upscale(photo, **options)))


def test_the_resize_after_the_network_is_antialiased():
    """Stripes as fine as pixels, enlarged ×2 by the network and brought back to ×1.1, keep their mean: no aliasing."""
    stripes = np.zeros((60, 60), np.uint8)
    stripes[:, ::2] = 255
    large = np.asarray(upscale(stripes, 1.1)).astype(float)
    assert large.shape == (66, 66)
    blocks = large[3:63, 3:63].reshape(6, 10, 6, 10).mean(axis=(1, 3))
    assert np.ptp(blocks) < 30


def test_names_follow_the_target():
    labels = {"2": "x2", "2.5": "x2.5", "3.0": "x3"}
    assert {text: Target(checked_scale(text)).label for text in labels} == labels
    assert [parse_size(text).label for text in ("1920x1080", "1920X", "x1080")] == ["1920x1080", "1920x", "x1080"]
    assert Target(Fraction(5, 2)).number == 2.5
    assert Target(Fraction(2)).number == 2


def test_a_size_that_is_no_enlargement(photo, tmp_path):
    with pytest.raises(InputError, match=r"photo.png has 72×56 pixels already, not fewer than 60×40"):
        upscale_file(photo, tmp_path / "out.png", size="60x40")
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [0, 1, 2, 3, 4])
def test_arrays_of_every_kind(kind, channels):
    shape = (20, 24, channels) if channels else (20, 24)
    array = np.random.default_rng(0).integers(0, np.iinfo(kind).max, shape).astype(kind)
    large = upscale_array(array, 2, "bicubic")
    assert large.dtype == kind
    assert large.shape == ((40, 48, channels) if channels > 1 else (40, 48))
    whole = upscale_array(array.astype(kind), 2, open_upscaler("espcn", 2, threads=1))
    assert whole.shape == large.shape


@pytest.mark.parametrize("scale", [True, "two", float("nan"), float("inf"), [2], 0.5, 1, -3, 100])
def test_scales_that_are_none(scale, pixels):
    with pytest.raises(UsageError, match=r"scale .*(is no number: give one above 1|is impossible: numbers above 1)"):
        upscale(pixels, scale)
    with pytest.raises(UsageError, match=r"scale .*(is no number|is impossible)"):
        open_upscaler("espcn", scale)


def test_what_open_upscaler_is_given_is_checked():
    assert open_upscaler("espcn", 2.0, threads=1).scale == 2
    assert open_upscaler("bicubic", np.int64(4)).scale == 4
    with pytest.raises(UsageError, match=r"scale 2.5 is no whole number, and networks enlarge by whole ones"):
        open_upscaler("espcn", 2.5)
    with pytest.raises(UsageError, match="model 7 is neither a name nor a file"):
        open_upscaler(7)
    for options in ({"runtime": "openvino"}, {"precision": "f32"}):
        with pytest.raises(UsageError, match="has no effect on bicubic, which NumPy computes: leave it out"):
            open_upscaler("bicubic", **options)


def test_an_image_that_pillow_opened_lazily_and_cannot_load(photo, tmp_path):
    content = photo.read_bytes()
    (tmp_path / "cut.png").write_bytes(content[: len(content) // 2])
    with Image.open(tmp_path / "cut.png") as image, pytest.raises(InputError, match=r"cut.png is damaged or cut short"):
        upscale(image, 2, "bicubic")


@pytest.mark.parametrize("ending", ["jpg", "webp", "avif"])
def test_quality_and_chroma(photo, tmp_path, ending):
    sizes = {}
    for name, options in (
        ("low", {"quality": 30}),
        ("half", {"chroma": "4:2:0"}),
        ("usual", {}),
        ("high", {"quality": 100}),
    ):
        upscale_file(photo, tmp_path / f"{name}.{ending}", 2, "bicubic", **options)
        sizes[name] = (tmp_path / f"{name}.{ending}").stat().st_size
    assert sizes["low"] < sizes["usual"] < sizes["high"]
    if ending != "webp":
        assert sizes["half"] < sizes["usual"]


def test_lossless_webp_and_smaller_png(photo, tmp_path):
    upscale_file(photo, tmp_path / "out.webp", 2, "bicubic", lossless=True)
    expected = np.asarray(upscale(photo, 2, "bicubic"))
    np.testing.assert_array_equal(read_picture(tmp_path / "out.webp").pixels, expected)
    sizes = []
    for level in (0, 9):
        upscale_file(photo, tmp_path / f"{level}.png", 2, "bicubic", compression=level)
        np.testing.assert_array_equal(read_picture(tmp_path / f"{level}.png").pixels, expected)
        sizes.append((tmp_path / f"{level}.png").stat().st_size)
    assert sizes[1] < sizes[0]
    for options in ({"quality": 0}, {"chroma": "4:1:1"}, {"compression": 10}):
        with pytest.raises(UsageError, match="is impossible"):
            upscale_file(photo, tmp_path / "out.png", **options)


def moving(path, **options):
    frames = [Image.new("RGBA", (16, 12), (250, 0, 0, 255)) for _ in range(3)]
    for n, frame in enumerate(frames):
        frame.paste((0, 0, 0, 0), (4 * n, 2, 4 * n + 4, 9))  # a hole that moves
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=[30, 60, 90], **options)
    return frames


@pytest.mark.parametrize("ending", ["gif", "png", "webp", "avif"])
def test_animations_with_holes(tmp_path, ending):
    options = {"disposal": 2} if ending == "gif" else {"lossless": True} if ending == "webp" else {}
    frames = moving(tmp_path / f"in.{ending}", loop=2, **options)
    done = upscale_file(tmp_path / f"in.{ending}", tmp_path / f"out.{ending}", 2, "bicubic")
    assert (done.notices, done.width) == ([], 32)
    with Image.open(tmp_path / f"in.{ending}") as before, Image.open(tmp_path / f"out.{ending}") as image:
        assert image.n_frames == 3
        assert image.info.get("loop") == before.info.get("loop")
        for n, frame in enumerate(frames):
            image.seek(n)
            image.load()
            assert image.info["duration"] == [30, 60, 90][n]
            alpha = np.asarray(image.convert("RGBA"))[..., 3].astype(int)
            expected = np.asarray(frame)[..., 3].repeat(2, 0).repeat(2, 1).astype(int)
            assert np.abs(alpha - expected).mean() < 15


def test_an_animation_into_a_still_format_says_so(tmp_path):
    moving(tmp_path / "in.png")
    done = upscale_file(tmp_path / "in.png", tmp_path / "out.tif", 2, "bicubic")
    assert done.notices == [f"{tmp_path / 'in.png'}: the first of its 3 frames is taken"]
    with pytest.raises(OutputError, match="JPEG cannot hold transparency"):
        upscale_file(tmp_path / "in.png", tmp_path / "out.jpg", 2, "bicubic")


def test_a_gif_of_a_photo_is_dithered(photo, tmp_path):
    upscale_file(photo, tmp_path / "out.gif", 2, "bicubic")
    shown = read_picture(tmp_path / "out.gif").pixels.astype(int)
    assert np.abs(shown - np.asarray(upscale(photo, 2, "bicubic"))).mean() < 6


def test_the_time_in_the_network_is_that_of_one_picture(photo):
    """Also where several threads share the network."""
    upscaler = open_upscaler("espcn", 2, runtime="onnxruntime", threads=1)
    upscale(photo, model=upscaler)
    spent = upscaler.seconds
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(lambda: (upscale(photo, model=upscaler), upscaler.seconds)[1]).result() > 0
    assert upscaler.seconds == spent


def test_everything_public_is_there():
    for name in ("upscale", "upscale_array", "upscale_file", "open_upscaler"):
        assert callable(getattr(subpixel, name))
