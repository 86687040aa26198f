"""A frame's planes: luma as pictures have it, chroma where it lies, and nothing lost on the way."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from subpixel.media.resample import imresize
from subpixel.media.video.pixels import planar
from subpixel.runtime.integer_planes import shuffle_into
from subpixel.upscaling import planes as module
from subpixel.upscaling.interpolation import SITINGS, phases
from subpixel.upscaling.planes import PlaneUpscaler
from subpixel.upscaling.upscaler import BicubicUpscaler, open_upscaler
from video.clips import picture

FORMATS = ("yuv420p", "yuv422p", "yuv444p", "gray", "yuv420p10le", "yuv422p10le", "yuv444p12le", "gray10le")


def enlarged(upscaler: Any, name: str, *, full: bool = False, siting: str = "left", out: str | None = None) -> Any:
    layout, target = planar(name), planar(out or name)
    assert layout is not None
    assert target is not None
    source = [picture(7 * i, w, h, layout.bits) for i, (h, w) in enumerate(layout.plane_shapes(38, 26))]
    r = upscaler.scale
    large = [
        np.full(shape, 7, np.uint8 if target.bits == 8 else np.uint16) for shape in target.plane_shapes(38 * r, 26 * r)
    ]
    PlaneUpscaler(upscaler, layout, target, full_range=full, siting=siting).enlarge(source, large)
    return source, large


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("name", ["yuv420p", "gray10le", "yuv444p12le"])
def test_luma_is_what_the_network_gives_for_studio_luma(name: str, runtime: str, full: bool) -> None:
    if runtime == "openvino":
        pytest.importorskip("openvino", reason="OpenVINO is not installed here")
    upscaler = open_upscaler("espcn", 3, runtime=runtime, threads=1, precision="f32")
    source, large = enlarged(upscaler, name, full=full)
    bits = 8 if name == "yuv420p" else 10 if name == "gray10le" else 12
    white = (1 << bits) - 1
    y = source[0].astype(np.float64)
    studio = 16 + 219 * y / white if full else y / (1 << (bits - 8))
    wanted = upscaler.upscale_luma(studio.astype(np.float32)).astype(np.float64)
    wanted = (wanted - 16) * white / 219 if full else wanted * (1 << (bits - 8))
    error = np.abs(np.clip(wanted, 0, white) - large[0])
    assert error.max() <= 0.5 + 2e-5 * white  # rounded, and nothing but rounded


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_bicubic_luma_is_imresize(name: str, scale: int) -> None:
    source, large = enlarged(BicubicUpscaler(scale), name)
    white = np.iinfo(large[0].dtype).max if large[0].dtype == np.uint8 else (1 << planar(name).bits) - 1  # type: ignore[union-attr]
    wanted = np.clip(imresize(source[0].astype(np.float64), scale), 0, white)
    assert np.abs(wanted - large[0]).max() <= 0.5 + 1e-6 * white


@pytest.mark.parametrize("siting", SITINGS)
@pytest.mark.parametrize("subsampling", [1, 2])
@pytest.mark.parametrize("scale", [2, 3, 4, 5])
@pytest.mark.parametrize("kernel", ["cubic", "lanczos"])
def test_phases_look_where_the_sample_lies(siting: str, subsampling: int, scale: int, kernel: str) -> None:
    """Of a ramp, cubic interpolation gives the position itself; the position is worked out here by hand."""
    for offset in SITINGS[siting]:
        weights, before = phases(scale, subsampling, offset, kernel)
        assert weights.sum(axis=1) == pytest.approx(1)
        ramp = np.arange(40.0)
        o = offset * (subsampling - 1)  # luma samples from a pair's first one to the chroma sample
        for i in range(8 * scale, 12 * scale):  # HR chroma samples far from the border
            hr_luma = subsampling * i + o
            lr_luma = (hr_luma + 0.5) / scale - 0.5
            wanted = (lr_luma - o) / subsampling
            phase, position = i % scale, i // scale
            window = ramp[position - before : position - before + weights.shape[1]]
            tolerance = 1e-9 if kernel == "cubic" else 0.02  # Lanczos is no exact interpolation of a ramp
            assert window @ weights[phase] == pytest.approx(wanted, abs=tolerance)


def test_sitings_differ_so_the_test_above_can_fail() -> None:
    left, centre = phases(3, 2, 0.0, "cubic")[0], phases(3, 2, 0.5, "cubic")[0]
    assert left.shape != centre.shape or np.abs(left - centre).max() > 0.05


@pytest.mark.parametrize("name", ["yuv420p", "yuv422p", "yuv420p10le"])
@pytest.mark.parametrize("siting", ["left", "center"])
def test_chroma_is_interpolated_there(name: str, siting: str) -> None:
    """Against a plain loop over samples, mirrored at the border."""
    source, large = enlarged(BicubicUpscaler(3), name, siting=siting)
    layout = planar(name)
    assert layout is not None
    across, down = (o for o in SITINGS[siting])
    for small, big in zip(source[1:], large[1:], strict=True):
        wanted = _resampled(small.astype(np.float64), 3, layout.down, down)
        wanted = _resampled(wanted.T, 3, layout.across, across).T
        assert np.abs(np.clip(wanted, 0, (1 << layout.bits) - 1) - big).max() <= 0.51


def _resampled(rows: NDArray[np.float64], factor: int, subsampling: int, siting: float) -> NDArray[np.float64]:
    height = len(rows)
    out = np.zeros((height * factor, rows.shape[1]))
    offset = siting * (subsampling - 1)
    for i in range(len(out)):
        centre = ((subsampling * i + offset + 0.5) / factor - 0.5 - offset) / subsampling
        total = 0.0
        for j in range(int(np.floor(centre)) - 2, int(np.floor(centre)) + 4):
            d = abs(centre - j)
            near, far = 1.5 * d**3 - 2.5 * d**2 + 1, -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2
            weight = near if d <= 1 else far if d <= 2 else 0.0
            mirrored = -1 - j if j < 0 else 2 * height - 1 - j if j >= height else j
            out[i] += weight * rows[mirrored]
            total += weight
        out[i] /= total
    return out


@pytest.mark.parametrize("full", [False, True])
def test_grey_stays_grey_at_every_depth(full: bool) -> None:
    for name, out in (("yuv420p", "yuv420p10le"), ("yuv420p10le", "yuv420p"), ("yuv444p", "yuv444p12le")):
        source, target = planar(name), planar(out)
        assert source is not None
        assert target is not None
        small = [
            np.full(s, 1 << (source.bits - 1), np.uint8 if source.bits == 8 else np.uint16)
            for s in source.plane_shapes(20, 12)
        ]
        large = [np.zeros(s, np.uint8 if target.bits == 8 else np.uint16) for s in target.plane_shapes(60, 36)]
        PlaneUpscaler(BicubicUpscaler(3), source, target, full_range=full).enlarge(small, large)
        for plane in large[1:]:
            assert (plane == 1 << (target.bits - 1)).all()


def test_strips_leave_no_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    upscaler = open_upscaler("espcn", 3, runtime="onnxruntime", threads=1)
    _, whole = enlarged(upscaler, "yuv420p")
    monkeypatch.setattr(module, "_AREA", 38 * 11)
    _, strips = enlarged(upscaler, "yuv420p")
    assert (whole[0] == strips[0]).all()


def test_a_network_that_wants_multiples_goes_through_floats(
    espcn_graph: Callable[..., onnx.ModelProto], tmp_path: Any
) -> None:
    """A foreign file of a fixed size gives what its whole-picture twin gives."""
    onnx.save(espcn_graph(3, size=(26, 38)), tmp_path / "fixed.onnx")
    fixed = open_upscaler(tmp_path / "fixed.onnx", runtime="onnxruntime", threads=1)
    free = open_upscaler("espcn", 3, runtime="onnxruntime", threads=1)
    assert not fixed.takes_planes  # type: ignore[attr-defined]
    assert (enlarged(fixed, "yuv420p10le")[1][0] == enlarged(free, "yuv420p10le")[1][0]).mean() > 0.999


def test_shuffling_into_a_smaller_plane_keeps_what_fits() -> None:
    maps = np.arange(9 * 4 * 5, dtype=np.uint8).reshape(9, 4, 5)
    whole, cut = np.empty((12, 15), np.uint8), np.empty((11, 14), np.uint8)
    shuffle_into(whole, maps, (3, 3))
    shuffle_into(cut, maps, (3, 3))
    assert (cut == whole[:11, :14]).all()
    assert (whole == maps.reshape(3, 3, 4, 5).transpose(2, 0, 3, 1).reshape(12, 15)).all()
