"""The protocol, the metrics on cases with known answers, and folders with trouble in them."""

import json
import math
import os
from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from subpixel.errors import InputError, UsageError
from subpixel.evaluate import GIVEN, PAPERS, PNG, PROTOCOLS, degrade, evaluate, psnr, ssim
from subpixel.media.resample import imresize
from subpixel.models import load
from subpixel.upscaling.upscaler import Upscaler

PICTURES = Path(__file__).parent / "data"
SHARED = Path(os.environ.get("SUBPIXEL_DATA", Path(__file__).parents[2] / "shared" / "data"))


class Planted(Upscaler):
    """Bicubic but for a fault put in on purpose."""

    name, runtime, halo = "planted", "numpy", 0

    def __init__(self, scale, fault):
        self.scale, self.fault = scale, fault

    def upscale_luma(self, y):
        return self.fault(imresize(y, self.scale))

    def upscale_rgb(self, rgb):
        raise AssertionError("luma models are never given colour")


def test_psnr_of_a_constant_error():
    a = np.full((4, 5), 100, np.uint8)
    assert psnr(a, a + 1) == pytest.approx(48.1308036)
    assert psnr(a, a + 5) == pytest.approx(20 * math.log10(255 / 5))
    assert psnr(a, a) == math.inf


def test_psnr_does_not_wrap_around():
    assert psnr(np.zeros((2, 2), np.uint8), np.full((2, 2), 255, np.uint8)) == 0


def test_ssim_of_flat_pictures_is_the_luminance_term():
    a, b = np.full((16, 13), 100.0), np.full((16, 13), 120.0)
    c1 = (0.01 * 255) ** 2
    assert ssim(a, b) == pytest.approx((2 * 100 * 120 + c1) / (100**2 + 120**2 + c1))


def test_ssim_is_that_of_the_definition():
    rng = np.random.default_rng(0)
    a, b = rng.uniform(0, 255, (2, 14, 15))
    x = np.exp(-((np.arange(11) - 5) ** 2) / 4.5)
    window = np.outer(x, x) / np.outer(x, x).sum()
    values = []
    for row in range(4):
        for column in range(5):
            p, q = (z[row : row + 11, column : column + 11] for z in (a, b))
            mp, mq = (window * p).sum(), (window * q).sum()
            vp, vq = (window * (p - mp) ** 2).sum(), (window * (q - mq) ** 2).sum()
            cov = (window * (p - mp) * (q - mq)).sum()
            c1, c2 = 6.5025, 58.5225
            values.append((2 * mp * mq + c1) * (2 * cov + c2) / ((mp**2 + mq**2 + c1) * (vp + vq + c2)))
    assert ssim(a, b) == pytest.approx(np.mean(values), abs=1e-12)
    assert ssim(a, a) == pytest.approx(1)


def test_metrics_refuse_different_shapes_and_tiny_pictures():
    with pytest.raises(ValueError, match="different shapes"):
        psnr(np.zeros((3, 3)), np.zeros((1, 3)))
    with pytest.raises(ValueError, match="11x11"):
        ssim(np.zeros((10, 20)), np.zeros((10, 20)))


def test_protocols_are_frozen_and_say_what_they_are():
    assert PROTOCOLS == {"papers": PAPERS, "png": PNG, "given": GIVEN}
    with pytest.raises(FrozenInstanceError):
        PAPERS.lr = "rounded"
    line = PAPERS.describe(3)
    assert all(word in line for word in ("x3", "unrounded", "3 px shaved", "peak 255", "BT.601", "8-bit"))
    assert len({protocol.describe(2) for protocol in PROTOCOLS.values()}) == 3


def test_the_result_is_whole_and_json():
    result = evaluate(PICTURES, "bicubic", 3)
    assert {"model", "scale", "protocol", "runtime", "psnr", "ssim", "images"} <= result.keys()
    assert [image["name"] for image in result["images"]] == ["coffee-grey", "colosseum"]
    assert result["psnr"] == pytest.approx(np.mean([image["psnr"] for image in result["images"]]))
    assert result["failures"] == []
    assert result["protocol"] == PAPERS.describe(3)
    json.loads(json.dumps(result, allow_nan=False))


def test_a_grey_picture_is_luma_as_it_is(tmp_path):
    grey = np.asarray(Image.open(PICTURES / "coffee-grey.png"))
    hr = grey.astype(float)
    lr = degrade(hr, 2).astype(np.float32)
    guess = np.clip(np.floor(imresize(lr, 2) + 0.5), 0, 255)
    expected = psnr(guess[2:-2, 2:-2], hr[2:-2, 2:-2])
    Image.fromarray(grey).save(tmp_path / "grey.png")
    assert evaluate(tmp_path, "bicubic", 2)["psnr"] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_only_the_inside_counts(scale):
    def fault(y):
        y[:scale], y[-scale:], y[:, :scale], y[:, -scale:] = 0, 0, 0, 0
        return y

    assert evaluate(PICTURES, Planted(scale, fault))["psnr"] == evaluate(PICTURES, "bicubic", scale)["psnr"]


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(lambda y: np.roll(y, 1, 0), id="a pixel down"),
        pytest.param(lambda y: np.roll(y, 1, 1), id="a pixel right"),
        pytest.param(lambda y: (y - 16) * 255 / 219, id="full swing"),
        pytest.param(lambda y: y[::-1], id="upside down"),
    ],
)
def test_faults_cost(fault):
    assert evaluate(PICTURES, Planted(3, fault))["psnr"] < evaluate(PICTURES, "bicubic", 3)["psnr"] - 0.5


def test_rounding_of_the_output():
    shifted = evaluate(PICTURES, Planted(3, lambda y: np.floor(y + 0.5) + 0.25))
    assert shifted["psnr"] == evaluate(PICTURES, "bicubic", 3)["psnr"]


def test_given_lr_pictures_equal_the_png_protocol(tmp_path):
    for path in PICTURES.glob("*.png"):
        Image.fromarray(degrade(np.asarray(Image.open(path)), 3)).save(tmp_path / f"{path.stem}x3.png")
    given, png = evaluate(PICTURES, "bicubic", 3, lr=tmp_path), evaluate(PICTURES, "bicubic", 3, protocol="png")
    assert given["psnr"] == png["psnr"] != evaluate(PICTURES, "bicubic", 3)["psnr"]
    assert given["protocol"] == GIVEN.describe(3)


def test_lr_pictures_that_do_not_fit_are_named(tmp_path):
    Image.new("RGB", (5, 5)).save(tmp_path / "colosseum_x3.png")
    with pytest.raises(InputError, match="none of 2 pictures could be evaluated"):
        evaluate(PICTURES, "bicubic", 3, lr=tmp_path)


def test_one_broken_picture_does_not_stop_the_others(tmp_path):
    whole = (PICTURES / "colosseum.png").read_bytes()
    (tmp_path / "good.png").write_bytes(whole)
    (tmp_path / "cut.png").write_bytes(whole[:5000])
    (tmp_path / "empty.png").write_bytes(b"")
    Image.new("L", (6, 40)).save(tmp_path / "tiny.png")
    result = evaluate(tmp_path, "bicubic", 3)
    assert [image["name"] for image in result["images"]] == ["good"]
    assert sorted(failure["name"] for failure in result["failures"]) == ["cut.png", "empty.png", "tiny.png"]
    assert "shaving" in next(f["error"] for f in result["failures"] if f["name"] == "tiny.png")


def test_a_perfect_score_is_none_not_infinity(tmp_path):
    Image.new("L", (40, 40), 99).save(tmp_path / "flat.png")
    result = evaluate(tmp_path, "bicubic", 2)
    assert result["psnr"] is None
    assert result["ssim"] == pytest.approx(1)


def test_a_wrong_size_is_a_failure(tmp_path):
    with pytest.raises(InputError, match=r"made .* pixels of"):
        evaluate(PICTURES, Planted(3, lambda y: y[1:]))


@pytest.mark.parametrize(
    ("folder", "arguments", "error", "message"),
    [
        ("nowhere", {}, InputError, "does not exist"),
        ("data/README.md", {}, InputError, "is a file"),
        ("data", {"model": "espcm"}, UsageError, "espcm.*bicubic, .*espcn"),
        ("data", {"scale": 0}, UsageError, "scale 0 is impossible"),
        ("data", {"scale": 11}, UsageError, "x2, x3, x4, not x11.*subpixel train"),
        ("data", {"protocol": "loose"}, UsageError, "papers, png, given"),
        ("data", {"protocol": "given"}, UsageError, "does not go without"),
        ("data", {"lr": PICTURES, "protocol": "papers"}, UsageError, "does not go with given"),
    ],
)
def test_bad_calls(folder, arguments, error, message):
    with pytest.raises(error, match=message):
        evaluate(Path(__file__).parent / folder, **arguments)


def test_a_folder_without_pictures(tmp_path):
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.raises(InputError, match="holds no pictures"):
        evaluate(tmp_path, "bicubic")


@pytest.mark.skipif(not (SHARED / "eval" / "Set5").is_dir(), reason="the benchmark pictures are not here")
@pytest.mark.parametrize(("scale", "published"), [(2, 33.66), (3, 30.39), (4, 28.42)])
def test_bicubic_has_the_published_figures(scale, published):
    assert evaluate(SHARED / "eval" / "Set5", "bicubic", scale)["psnr"] == pytest.approx(published, abs=0.01)


needs_sets = pytest.mark.skipif(
    not all((SHARED / "eval" / name).is_dir() for name in ("Set5", "Set14")),
    reason="the benchmark pictures are not here",
)


@needs_sets
@pytest.mark.parametrize(("scale", "published"), [(2, 30.23), (3, 27.54), (4, 26.00)])
def test_bicubic_has_the_published_figures_on_set14(scale, published):
    assert evaluate(SHARED / "eval" / "Set14", "bicubic", scale)["psnr"] == pytest.approx(published, abs=0.01)


@needs_sets
@pytest.mark.parametrize(
    ("name", "scale", "least"), [("Set5", 2, 36.6), ("Set5", 3, 32.6), ("Set5", 4, 30.3), ("Set14", 3, 29.2)]
)
def test_the_shipped_weights_reach_what_their_headers_state(name, scale, least):
    psnr = evaluate(SHARED / "eval" / name, "espcn", scale, runtime="onnxruntime", threads=1)["psnr"]
    assert psnr >= least
    stated = {figure["set"]: figure["psnr"] for figure in load("espcn", scale).header["figures"]}
    assert psnr == pytest.approx(stated[name], abs=0.01)
