"""imresize against cases worked out by hand, and against MATLAB's own pictures where they are at hand."""

import os
from pathlib import Path

import numpy as np
import pytest

from subpixel.evaluate.degrade import degrade, mod_crop
from subpixel.media.resample import imresize

SHARED = Path(os.environ.get("SUBPIXEL_DATA", Path(__file__).parents[2] / "shared" / "data"))


def impulse(length: int, at: int) -> np.ndarray:
    row = np.zeros((1, length))
    row[0, at] = 1
    return row


def test_doubling_has_keys_taps():
    # Output 2n sits a quarter pixel before n: taps w(1.75), w(0.75), w(0.25), w(1.25) of a = -0.5.
    columns = np.array([imresize(impulse(8, at), shape=(1, 16))[0, 8] for at in range(2, 6)])
    assert columns.tolist() == [-0.0234375, 0.2265625, 0.8671875, -0.0703125]


def test_halving_is_antialiased():
    # Kernel twice as wide and half as high: sample 4 sits at 8.5, taps h(u)/2 at u = ±.25, ±.75, ±1.25, ±1.75.
    half = np.array([0.8671875, 0.2265625, -0.0703125, -0.0234375]) / 2
    got = [imresize(impulse(16, at), shape=(1, 8))[0, 4] for at in range(5, 13)]
    assert got == [*half[::-1], *half]


def test_the_border_is_mirrored():
    picture = np.arange(20.0).reshape(4, 5) ** 2
    mirrored = np.pad(picture, 4, mode="symmetric")
    assert np.array_equal(imresize(picture, 2), imresize(mirrored, 2)[8:-8, 8:-8])


@pytest.mark.parametrize("scale", [2, 3, 4, 5, 7])
@pytest.mark.parametrize("way", ["up", "down"])
def test_a_flat_picture_stays_flat(scale, way):
    picture = np.full((scale * 5, scale * 4), 77, np.uint8)
    out = imresize(picture, scale if way == "up" else 1 / scale)
    assert out.shape == ((25 * scale // 5 * scale, 16 * scale // 4 * scale) if way == "up" else (5, 4))
    assert (out == 77).all()


def test_the_same_size_changes_nothing():
    picture = np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8)
    assert np.array_equal(imresize(picture, 1), picture)


def test_channels_are_apart():
    picture = np.random.default_rng(1).random((12, 9, 3))
    apart = np.stack([imresize(picture[..., c], 1 / 3) for c in range(3)], -1)
    assert np.array_equal(imresize(picture, 1 / 3), apart)


def test_eight_bits_are_rounded_after_each_axis_rows_first():
    picture = np.random.default_rng(2).integers(0, 256, (32, 24), np.uint8)
    rows = np.floor(np.clip(imresize(picture.astype(float), shape=(8, 24)), 0, 255) + 0.5)
    both = np.floor(np.clip(imresize(rows, shape=(8, 6)), 0, 255) + 0.5)
    assert np.array_equal(imresize(picture, 1 / 4), both)
    columns_first = imresize(np.ascontiguousarray(picture.T), 1 / 4).T
    assert not np.array_equal(imresize(picture, 1 / 4), columns_first)  # the order is visible


@pytest.mark.parametrize("kind", [np.uint8, np.float32, np.float64])
def test_the_kind_is_kept(kind):
    assert imresize(np.zeros((6, 6), kind), 0.5).dtype == kind


def test_an_odd_size_is_rounded_up():
    assert imresize(np.zeros((7, 10)), 1 / 2).shape == (4, 5)


@pytest.mark.parametrize("arguments", [{}, {"scale": 2, "shape": (4, 4)}])
def test_scale_or_shape(arguments):
    with pytest.raises(ValueError, match="exactly one of `scale` and `shape`"):
        imresize(np.zeros((4, 4)), **arguments)


@pytest.mark.parametrize(
    ("arguments", "message"), [({"scale": 0}, r"`scale` \(=0\)"), ({"shape": (0, 3)}, r"`shape` \(=\(0, 3\)\)")]
)
def test_nothing_to_resize_to(arguments, message):
    with pytest.raises(ValueError, match=message):
        imresize(np.zeros((4, 4)), **arguments)


def test_degrade_crops_first():
    picture = np.random.default_rng(3).random((11, 14))
    assert mod_crop(picture, 3).shape == (9, 12)
    assert np.array_equal(degrade(picture, 3), imresize(picture[:9, :12], 1 / 3))


@pytest.mark.parametrize("scale", range(2, 40))
def test_degrade_gives_the_exact_size(scale):
    assert degrade(np.zeros((scale * 13 + 1, scale)), scale).shape == (13, 1)


def test_degrade_refuses_what_is_too_small():
    with pytest.raises(ValueError, match=r"`scale` \(=5\)"):
        degrade(np.zeros((9, 4)), 5)


@pytest.mark.skipif(not (SHARED / "eval" / "Set5_LR").is_dir(), reason="MATLAB's Set5 LR pictures are not here")
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_matlab_bit_for_bit(scale):
    from PIL import Image

    paths = sorted((SHARED / "eval" / "Set5").glob("*.png"))
    assert len(paths) == 5
    for path in paths:
        small = SHARED / "eval" / "Set5_LR" / f"X{scale}" / f"{path.stem}x{scale}.png"
        with Image.open(path) as hr, Image.open(small) as lr:
            assert np.array_equal(degrade(np.asarray(hr), scale), np.asarray(lr))
