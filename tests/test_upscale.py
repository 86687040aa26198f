"""Pictures through networks: colour, grey, alpha, depth, tiles, and strangers' files."""

import importlib
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

import subpixel
from subpixel.errors import InputError, UsageError
from subpixel.media.colour import luma, rgb_to_ycbcr, ycbcr_to_rgb
from subpixel.media.formats.raster import Raster
from subpixel.media.picture import Picture, from_array
from subpixel.media.resample import imresize
from subpixel.models import load
from subpixel.runtime import RUNTIMES, open_session
from subpixel.runtime.contract import Contract
from subpixel.runtime.session import Session, installed
from subpixel.upscaling.pictures import enlarge
from subpixel.upscaling.strips import grid
from subpixel.upscaling.upscaler import BicubicUpscaler, NetworkUpscaler, open_upscaler

upscaler_module = importlib.import_module("subpixel.upscaling.upscaler")
HERE = [name for name in RUNTIMES if installed(name)]
PICTURES = Path(__file__).parent / "data"


def tile_count(size, upscaler):
    return len(grid(Raster(size[1], size[0], 3), upscaler))


@pytest.fixture(scope="module")
def espcn():
    return open_upscaler("espcn", 3, runtime="onnxruntime", threads=1)


@pytest.fixture
def pixels(photo):
    with Image.open(photo) as image:
        return np.asarray(image)


def rounded(values):
    return np.rint(np.clip(values, 0, 255)).astype(np.uint8)


# What it computes.


def test_luma_by_the_network_chroma_by_matlabs_bicubic(espcn, pixels):
    y, cb, cr = np.moveaxis(rgb_to_ycbcr(pixels.astype(np.float64)), 2, 0)
    session = open_session(load("small", 3).to_onnx(), runtime="onnxruntime", threads=1)
    large = 255 * session.run((y / 255).astype(np.float32)[None, None])[0, 0]
    expected = ycbcr_to_rgb(np.dstack([large, imresize(cb, 3), imresize(cr, 3)]))
    result = np.asarray(subpixel.upscale(Image.fromarray(pixels), 3, runtime="onnxruntime", threads=1))
    assert result.shape == (168, 216, 3)
    difference = np.abs(result.astype(int) - rounded(expected))
    assert difference.max() <= 1  # the order of float32 sums may turn a rounding
    assert (difference > 0).mean() < 1e-3


def test_the_network_beats_bicubic_on_a_photo():
    with Image.open(PICTURES / "colosseum.png") as image:
        hr = np.asarray(image.convert("RGB"))
    hr = hr[: hr.shape[0] // 3 * 3, : hr.shape[1] // 3 * 3]
    lr = imresize(hr, 1 / 3)
    errors = {}
    for model in ("espcn", "bicubic"):
        large = np.asarray(subpixel.upscale(lr, 3, model))
        errors[model] = np.mean((luma(large) - luma(hr))[3:-3, 3:-3] ** 2)
    assert 10 * np.log10(errors["bicubic"] / errors["espcn"]) > 0.5


def test_what_goes_in_may_be_a_path_an_image_or_an_array(photo, pixels):
    by_path = subpixel.upscale(photo, 2)
    assert isinstance(by_path, Image.Image)
    for source in (str(photo), Image.fromarray(pixels), pixels):
        np.testing.assert_array_equal(np.asarray(subpixel.upscale(source, 2)), np.asarray(by_path))
    with pytest.raises(UsageError, match="a list is not a picture: give a path, a Pillow image or an array"):
        subpixel.upscale([[1, 2], [3, 4]])


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "P", "1", "I;16", "CMYK"])
@pytest.mark.parametrize("size", [(1, 1), (2, 1), (5, 7)])
def test_every_mode_down_to_one_pixel(mode, size):
    if mode == "I;16":
        image = Image.fromarray(np.full(size[::-1], 40000, np.uint16))
    else:
        image = Image.new("RGBA", size, (200, 100, 50, 255)).convert(mode)
    large = subpixel.upscale(image, 4)
    assert large.size == (4 * size[0], 4 * size[1])
    assert large.mode == {"P": "RGB", "1": "L", "CMYK": "RGB"}.get(mode, mode)


@pytest.mark.parametrize("level", [0, 1, 127, 254, 255])
@pytest.mark.parametrize("model", ["espcn", "bicubic"])
def test_flat_grey_stays_where_it_is(model, level):
    flat = np.full((30, 30), level, np.uint8)
    large = np.asarray(subpixel.upscale(flat, 3, model)).astype(int)[18:-18, 18:-18]
    assert np.abs(large - level).max() <= (2 if model == "espcn" else 0)


def test_grey_and_colour_agree_on_a_grey_picture(espcn, pixels):
    grey = rounded(pixels.mean(axis=2))
    alone = enlarge(Picture(grey), espcn).pixels
    assert alone.ndim == 2
    colour = enlarge(Picture(np.dstack([grey] * 3)), espcn).pixels
    assert np.abs(colour.astype(int) - alone[..., None]).max() <= 1


def test_sixteen_bits_are_finer_than_eight(espcn, pixels):
    eight = pixels[..., 1]
    deep = enlarge(Picture(eight.astype(np.uint16) * 257), espcn).pixels
    assert deep.dtype == np.uint16
    assert len(np.unique(deep)) > 256
    assert np.abs(deep / 257 - enlarge(Picture(eight), espcn).pixels).max() <= 0.51


# Transparency.


@pytest.mark.parametrize("hidden", [0, 255])
def test_no_fringe_around_a_cut_out(hidden):
    """A red disc whose surroundings are transparent black, or white: what is visible of the result is red."""
    rows, columns = np.mgrid[:40, :40]
    alpha = (np.hypot(rows - 20, columns - 20) < 12) * np.uint8(255)
    source = np.full((40, 40, 4), hidden, np.uint8)
    source[..., 3] = 0
    source[alpha > 0] = (220, 40, 30, 255)
    large = np.asarray(subpixel.upscale(source, 3))
    visible = large[large[..., 3] > 0].astype(int)
    assert len(visible) > 9 * 400
    assert np.abs(visible[:, :3] - (220, 40, 30)).max() <= 6
    outside, inside = large[:15, :15, 3], large[54:66, 54:66, 3]
    assert outside.max() == 0  # no haze,
    assert inside.min() == 255  # no pinholes


def test_alpha_is_enlarged_as_a_grey_picture_is_within_its_surroundings(espcn, pixels):
    alpha = pixels[..., 1]
    large = enlarge(Picture(pixels, alpha), espcn).alpha.astype(int)
    grey = enlarge(Picture(alpha), espcn).pixels
    assert (large == grey).mean() > 0.9
    around = np.pad(alpha, 1, mode="edge").astype(int)
    for row, column in ((0, 0), (100, 101), (167, 215)):
        three = around[row // 3 : row // 3 + 3, column // 3 : column // 3 + 3]
        assert large[row, column] == np.clip(grey[row, column], three.min(), three.max())


@pytest.mark.parametrize("level", [0, 77, 255])
def test_flat_alpha_is_exact(espcn, pixels, level):
    alpha = np.full(pixels.shape[:2], level, np.uint8)
    large = enlarge(Picture(pixels, alpha), espcn)
    np.testing.assert_array_equal(large.alpha, np.full((168, 216), level))
    if level:
        np.testing.assert_array_equal(large.pixels, enlarge(Picture(pixels), espcn).pixels)


# Tiles.


@pytest.mark.parametrize("runtime", HERE)
@pytest.mark.parametrize("threads", [1, 2])
def test_a_network_in_tiles_is_bit_equal_to_the_whole(pixels, monkeypatch, runtime, threads):
    upscaler = open_upscaler("espcn", 3, runtime=runtime, threads=threads)
    y, windows = luma(pixels).astype(np.float32), (17, 24, 40)
    if runtime == "torch":  # below 20480 pixels it takes another algorithm; tiles are far larger than that
        y, windows = np.tile(y, (4, 5)), (160,)
    whole = upscaler.upscale_luma(y)
    calls = []
    run = upscaler.session.run
    monkeypatch.setattr(upscaler.session, "run", lambda x: calls.append(x.shape) or run(x))
    for window in windows:
        monkeypatch.setattr(upscaler_module, "_tile", lambda halo, window=window: (window, halo))
        calls.clear()
        np.testing.assert_array_equal(upscaler.upscale_luma(y), whole)
        assert len(calls) > 3
        assert max(max(shape) for shape in calls) <= window


@pytest.mark.parametrize("form", ["colour", "grey", "alpha", "deep"])
@pytest.mark.parametrize("model", ["espcn", "bicubic"])
def test_pictures_in_tiles_equal_the_whole(pixels, monkeypatch, model, form):
    grey = pixels[..., 1]
    picture = {
        "colour": Picture(pixels),
        "grey": Picture(grey),
        "alpha": Picture(pixels, np.where(grey > 140, grey, 0).astype(np.uint8)),
        "deep": Picture(grey.astype(np.uint16) * 257),
    }[form]
    upscaler = open_upscaler(model, 3, threads=1)
    whole = enlarge(picture, upscaler)
    monkeypatch.setattr(upscaler_module, "_tile", lambda halo: (24, halo))
    counted = []
    tiled = enlarge(picture, upscaler, counted.append)
    assert len(counted) == len(grid(picture.raster, upscaler)) > 3
    assert sum(counted) == 56 * 72
    np.testing.assert_array_equal(tiled.pixels, whole.pixels)
    if form == "alpha":
        np.testing.assert_array_equal(tiled.alpha, whole.alpha)


def test_a_halo_that_is_too_short_would_be_noticed(pixels, monkeypatch):
    upscaler = open_upscaler("espcn", 3, runtime="onnxruntime", threads=1)
    y = luma(pixels).astype(np.float32)
    whole = upscaler.upscale_luma(y)
    monkeypatch.setattr(upscaler_module, "_tile", lambda halo: (24, 2))
    assert (upscaler.upscale_luma(y) != whole).any()


def test_a_large_picture_is_cut_by_itself(espcn):
    assert tile_count((768, 768), espcn) == 1
    assert tile_count((769, 768), espcn) == 2
    assert tile_count((4000, 3000), espcn) == 24


# Strangers' networks.


def saved(graph, path):
    path.write_bytes(graph.SerializeToString())
    return path


def test_a_stranger_of_one_channel_does_as_the_zoo_does(tmp_path, espcn_graph, pixels, espcn):
    expected = enlarge(Picture(pixels), espcn).pixels
    for white in (1.0, 255.0):
        path = saved(espcn_graph(3, white=white), tmp_path / f"net{white:.0f}.onnx")
        large = np.asarray(subpixel.upscale(pixels, model=path, runtime="onnxruntime"))
        assert np.abs(large.astype(int) - expected).max() <= 1
    np.testing.assert_array_equal(np.asarray(subpixel.upscale(pixels, 3, path, runtime="onnxruntime")), large)


@pytest.mark.parametrize("size", [(24, 32), (64, 16), (20, 90), (11, 11), (100, 100)])
def test_a_fixed_size_is_no_hindrance(tmp_path, espcn_graph, pixels, espcn, size):
    """Tiled where the picture is larger, so still the whole picture's numbers; padded where it is smaller."""
    path = saved(espcn_graph(3, size=size), tmp_path / "fixed.onnx")
    large = np.asarray(subpixel.upscale(pixels, model=path, runtime="onnxruntime"))
    expected = enlarge(Picture(pixels), espcn).pixels
    assert large.shape == expected.shape
    inner = tuple(slice(0, 3 * (n - 5)) for n in pixels.shape[:2])  # padding moves the lower and right border
    assert np.abs(large[inner].astype(int) - expected[inner]).max() <= 1


def test_three_channels_get_the_picture(tmp_path, espcn_graph, pixels):
    for dress in ({}, {"last": True}, {"half": True}):
        path = saved(espcn_graph(2, channels=3, **dress), tmp_path / "rgb.onnx")
        upscaler = open_upscaler(path, runtime="onnxruntime")
        large = enlarge(Picture(pixels), upscaler).pixels
        plane = open_session(load("espcn", 2).to_onnx(), runtime="onnxruntime")
        for channel in range(3):
            x = (pixels[..., channel] / 255).astype(np.float32)[None, None]
            expected = rounded(255 * plane.run(x)[0, 0])
            assert np.abs(large[..., channel].astype(int) - expected).max() <= (3 if dress else 1)
        assert enlarge(Picture(pixels[..., 0]), upscaler).pixels.shape == (112, 144)


class Recording(Session):
    """Nearest neighbour that remembers what it was given."""

    runtime = "recording"

    def __init__(self, scale):
        super().__init__(1, "f32")
        self.scale, self.given = scale, []

    def _run(self, x):
        self.given.append(x)
        return x.repeat(self.scale, axis=2).repeat(self.scale, axis=3)


@pytest.mark.parametrize("white", [1.0, 255.0])
@pytest.mark.parametrize("colour", ["rgb", "bgr"])
def test_order_and_range_of_what_a_network_sees(pixels, colour, white):
    session = Recording(2)
    upscaler = NetworkUpscaler("net", session, Contract(2, 3, colour, white, halo=0))
    large = upscaler.upscale_rgb(pixels.astype(np.float32))
    np.testing.assert_allclose(large, pixels.repeat(2, 0).repeat(2, 1), rtol=1e-6)
    seen = np.moveaxis(session.given[0][0], 0, 2) * (255 / white)
    np.testing.assert_allclose(seen, pixels[..., ::-1] if colour == "bgr" else pixels, rtol=1e-6)
    session.given.clear()
    y = upscaler.upscale_luma(np.full((4, 4), 235, np.float32))  # studio white is the network's white
    np.testing.assert_allclose(session.given[0], white, rtol=1e-5)
    np.testing.assert_allclose(y, 235, rtol=1e-5)


def test_a_network_that_takes_the_bicubic_enlargement(tmp_path, pixels):
    """SRCNN's kind. The identity in its place gives bicubic interpolation."""
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["y"], pads=[4] * 4)],
        "identity",
        [value("x", TensorProto.FLOAT, [1, 1, "H", "W"])],
        [value("y", TensorProto.FLOAT, [None] * 4)],
        [numpy_helper.from_array(np.eye(81, dtype=np.float32)[40].reshape(1, 1, 9, 9), "w")],
    )
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path = saved(model, tmp_path / "srcnn.onnx")
    with pytest.raises(UsageError, match=r"srcnn\.onnx: the network keeps the size.*say by --scale how much"):
        open_upscaler(path)
    upscaler = open_upscaler(path, 3, runtime="onnxruntime")
    assert upscaler.halo == 2 + 3  # 4 HR pixels, and what bicubic interpolation looks at
    large = enlarge(Picture(pixels), upscaler).pixels
    expected = enlarge(Picture(pixels), BicubicUpscaler(3)).pixels
    assert np.abs(large.astype(int) - expected).max() <= 1


def test_a_network_for_multiples_of_four_gets_them(pixels):
    class Fours(Recording):
        def _run(self, x):
            assert (x.shape[2] % 4, x.shape[3] % 4) == (0, 0)
            return super()._run(x)

    session = Fours(2)
    upscaler = NetworkUpscaler("fours", session, Contract(2, 1, "y", 255.0, multiple=4))
    y = luma(pixels).astype(np.float32)[:53, :70]
    np.testing.assert_allclose(upscaler.upscale_luma(y), y.repeat(2, 0).repeat(2, 1), rtol=1e-5)
    assert session.given[0].shape == (1, 1, 56, 72)


def test_a_network_whose_reach_is_unknown_is_cut_only_when_it_must(monkeypatch, pixels):
    session = Recording(2)
    upscaler = NetworkUpscaler("blind", session, Contract(2, 1, "y", 255.0, halo=None))
    assert tile_count((1472, 1472), upscaler) == 1
    assert tile_count((1472, 1473), upscaler) == 2
    monkeypatch.setattr(upscaler_module, "_BLIND_WINDOW", 50)
    monkeypatch.setattr(upscaler_module, "_BLIND_OVERLAP", 10)
    large = enlarge(Picture(pixels[..., 0]), upscaler).pixels
    assert len(session.given) > 3
    assert np.abs(large.astype(int) - pixels[..., 0].repeat(2, 0).repeat(2, 1)).max() <= 1


def test_a_network_that_gives_another_size_than_promised(pixels):
    session = Recording(3)
    upscaler = NetworkUpscaler("odd.onnx", session, Contract(2, 1, "y", 1.0, halo=0))
    with pytest.raises(InputError, match=r"odd\.onnx turned 72×56 pixels into 216×168, not ×2"):
        upscaler.upscale_luma(luma(pixels).astype(np.float32))


def test_a_network_that_gives_no_numbers(pixels):
    session = Recording(2)
    session._run = lambda x: np.full((1, 1, 2 * x.shape[2], 2 * x.shape[3]), np.nan, np.float32)
    upscaler = NetworkUpscaler("half.onnx", session, Contract(2, 1, "y", 1.0, halo=0))
    with pytest.raises(InputError, match=r"half\.onnx gave values that are no numbers: try --value-range"):
        enlarge(Picture(pixels), upscaler)


def test_one_open_network_for_many_pictures(pixels):
    upscaler = subpixel.open_upscaler("small", 3, runtime="onnxruntime", threads=1)
    expected = np.asarray(subpixel.upscale(pixels, 3, runtime="onnxruntime", threads=1))
    for _ in range(2):
        np.testing.assert_array_equal(np.asarray(subpixel.upscale(pixels, model=upscaler)), expected)
    with pytest.raises(UsageError, match="small is open for ×3, not ×2: open another"):
        subpixel.upscale(pixels, 2, upscaler)


# Refusals.


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        (
            {"model": "wavelet"},
            UsageError,
            "there is no model 'wavelet'; there are bicubic, nano, small, medium, large, espcn",
        ),
        ({"scale": 1}, UsageError, "scale 1 is impossible"),
        ({"scale": -3, "model": "bicubic"}, UsageError, "scale -3 is impossible"),
        ({"scale": 7}, UsageError, "small comes with weights for x2, x3, x4, not x7"),
        ({"value_range": 255}, UsageError, r"value_range \(=255\) describes an ONNX file, and small is none"),
        ({"model": "missing.onnx"}, InputError, r"missing\.onnx does not exist"),
        ({"model": "missing.safetensors"}, InputError, r"missing\.safetensors does not exist"),
    ],
)
def test_models_that_cannot_be(options, kind, message):
    with pytest.raises(kind, match=message):
        open_upscaler(**{"runtime": "onnxruntime", **options})


def test_what_is_wrong_with_a_strangers_file_names_the_file(tmp_path, espcn_graph):
    path = saved(espcn_graph(3), tmp_path / "net.onnx")
    with pytest.raises(UsageError, match=r"net\.onnx: the network enlarges ×3, not ×2: leave --scale out"):
        open_upscaler(path, 2)
    with pytest.raises(UsageError, match=r"net\.onnx: the network has 1 channels, not 3"):
        open_upscaler(path, channels=3)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(InputError, match=r"net\.onnx is not an ONNX file, or it is cut short"):
        open_upscaler(path)


def test_weights_of_ones_own(tmp_path, pixels, espcn):
    source = Path(load.__globals__["WEIGHTS"]) / "espcn_x3.safetensors"
    (tmp_path / "mine.safetensors").write_bytes(source.read_bytes())
    upscaler = open_upscaler(tmp_path / "mine.safetensors", runtime="onnxruntime", threads=1)
    np.testing.assert_array_equal(
        enlarge(from_array(pixels), upscaler).pixels, enlarge(from_array(pixels), espcn).pixels
    )
    with pytest.raises(UsageError, match=r"mine\.safetensors enlarges ×3, not ×4"):
        open_upscaler(tmp_path / "mine.safetensors", 4)


def test_too_large_a_result_is_refused_before_it_is_made(photo, pixels):
    for source in (photo, pixels):
        with pytest.raises(InputError, match=r"72×56 pixels enlarged ×3 make 0 megapixels, over the limit of 0.01"):
            subpixel.upscale(source, max_megapixels=0.01)


def test_the_public_names_are_there():
    for name in subpixel.__all__:
        assert getattr(subpixel, name) is not None
    assert dir(subpixel) == subpixel.__all__
    with pytest.raises(AttributeError, match="module 'subpixel' has no attribute 'downscale'"):
        _ = subpixel.downscale
