"""BT.601 in studio swing, as MATLAB has it."""

import numpy as np
import pytest

from subpixel.media.colour import luma, rgb_to_ycbcr, ycbcr_to_rgb


@pytest.mark.parametrize(
    ("rgb", "ycbcr"),
    [
        ((0, 0, 0), (16, 128, 128)),
        ((255, 255, 255), (235, 128, 128)),
        ((255, 0, 0), (81.481, 90.203, 240)),  # MATLAB: 81.481, 90.203, 240
        ((0, 255, 0), (144.553, 53.797, 34.214)),
        ((0, 0, 255), (40.966, 240, 109.786)),
    ],
)
def test_corners(rgb, ycbcr):
    got = rgb_to_ycbcr(np.array([[rgb]], float))
    np.testing.assert_allclose(got[0, 0], ycbcr, atol=1e-9)


def test_round_trip():
    rgb = np.random.default_rng(0).uniform(0, 255, (5, 4, 3))
    np.testing.assert_allclose(ycbcr_to_rgb(rgb_to_ycbcr(rgb)), rgb, atol=1e-10)


def test_luma_is_the_first_of_three():
    rgb = np.random.default_rng(1).integers(0, 256, (5, 4, 3), np.uint8)
    np.testing.assert_allclose(luma(rgb), rgb_to_ycbcr(rgb.astype(float))[..., 0], atol=1e-12)


def test_nothing_is_clipped_or_rounded():
    assert rgb_to_ycbcr(np.full((1, 1, 3), 300.5))[0, 0, 0] == pytest.approx(16 + 219 * 300.5 / 255)
