"""A method of enlarging as one object over float arrays, whether it is bicubic, of the zoo, or a stranger's file.

Luma goes through one-channel networks and the colour differences are interpolated; three-channel networks get
the picture. Either way arrays are [H, W] or [H, W, 3] in 0..255, unrounded and unclipped, in and out.
"""

import os
from abc import ABC, abstractmethod
from pathlib import Path
from threading import Lock, local
from time import perf_counter
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import InputError, UsageError
from subpixel.media.colour import luma
from subpixel.media.resample import imresize
from subpixel.media.tiles import balanced, cut
from subpixel.upscaling.target import DEFAULT_MODEL, DEFAULT_SCALE, checked_scale

if TYPE_CHECKING:
    import onnx

    from subpixel.models import TrainedNetwork
    from subpixel.runtime.contract import Contract
    from subpixel.runtime.session import Session

Array = NDArray[np.float32]

_WINDOW = 768  # side of a tile in LR pixels: 64 maps of it are 151 MB
_BLIND_WINDOW = 1472  # where a network's reach is not known: pictures up to 2 megapixels stay whole,
_BLIND_OVERLAP = 32  # and beyond that tiles overlap by what is enough for most
_BLACK, _SWING = 16.0, 219.0  # of studio luma


class _Spent(local):
    """Seconds of each thread's own."""

    seconds = 0.0


class Upscaler(ABC):
    """Attributes:
    name: of the model, or the file's name.
    scale: HR pixels for each LR pixel, per axis.
    runtime: what computes it: "onnxruntime", "openvino", "torch" or "numpy".
    precision: of its arithmetic, "f32", "bf16" or "int8".
    halo: LR pixels around a tile that its result depends on; None where that is not known.
    seconds: that this thread has spent in the network so far.

    Several threads may use one: the network itself runs for one of them at a time.
    """

    name: str
    scale: int
    runtime: str
    precision: str = "f32"
    halo: int | None
    _spent: _Spent

    def __new__(cls, *_: object, **__: object) -> Self:
        made = super().__new__(cls)
        made._spent = _Spent()
        return made

    @property
    def seconds(self) -> float:
        return self._spent.seconds

    @property
    def bytes_per_pixel(self) -> float:
        """Memory that computing takes for each LR pixel of a plane, about."""
        return 16.0 * self.scale**2

    @property
    def tile(self) -> tuple[int, int]:
        """Side of a tile and how far tiles overlap, in LR pixels. Known reach: tiling changes no number."""
        return _tile(self.halo)

    @abstractmethod
    def upscale_luma(self, y: Array) -> Array:
        """Studio luma (16..235) [H, W] to [rH, rW]."""

    @abstractmethod
    def upscale_rgb(self, rgb: Array) -> Array:
        """RGB [H, W, 3] to [rH, rW, 3]."""

    def upscale_grey(self, grey: Array) -> Array:
        """Full-range grey (0..255) [H, W] to [rH, rW]."""
        y: Array = grey * np.float32(_SWING / 255) + np.float32(_BLACK)
        return (self.upscale_luma(y) - np.float32(_BLACK)) * np.float32(255 / _SWING)


class BicubicUpscaler(Upscaler):
    """MATLAB's bicubic interpolation of every channel."""

    name, runtime, halo = "bicubic", "numpy", 3

    def __init__(self, scale: int) -> None:
        self.scale = scale

    def upscale_luma(self, y: Array) -> Array:
        start = perf_counter()
        result = _bicubic(y, self.scale)
        self._spent.seconds += perf_counter() - start
        return result

    def upscale_rgb(self, rgb: Array) -> Array:
        planes = [self.upscale_luma(rgb[..., channel]) for channel in range(3)]
        return np.moveaxis(np.stack(planes), 0, 2)  # in memory they stay planes

    def upscale_grey(self, grey: Array) -> Array:
        return self.upscale_luma(grey)


class NetworkUpscaler(Upscaler):
    """A network with its contract."""

    def __init__(
        self,
        name: str,
        session: "Session",
        contract: "Contract",
        graph: "onnx.ModelProto | None" = None,
        pairs: "onnx.ModelProto | None" = None,
    ) -> None:
        """`graph` is what the session runs; `pairs`, where there is one, gives the phases [N, 2r², H, W/2] of its
        result, 2r·dy + dx, for pictures of even width, and faster."""
        self.name, self.session, self.contract, self.graph, self.pairs = name, session, contract, graph, pairs
        self._one_at_a_time = Lock()
        self.scale, self.runtime, self.precision = contract.scale, session.runtime, session.precision
        self.halo = contract.halo
        if contract.halo is not None and not contract.enlarges:
            self.halo = -(-contract.halo // contract.scale) + 3  # 3: what the bicubic enlargement looks at

    @property
    def takes_planes(self) -> bool:
        """Whether its graph takes luma planes of any size as they are."""
        c = self.contract
        known = c.halo is not None and c.multiple == 1
        return self.graph is not None and c.channels == 1 and c.enlarges and not any(c.size) and known

    @property
    def bytes_per_pixel(self) -> float:
        from subpixel.runtime.footprint import bytes_per_pixel

        larger = 1 if self.contract.enlarges else self.scale**2
        return larger * (bytes_per_pixel(self.graph) if self.graph is not None else 4096.0)

    def upscale_luma(self, y: Array) -> Array:
        if self.contract.channels == 1:
            plane: Array = self._through(np.asarray(y, np.float32)[None])[0]
            return plane
        grey = (np.asarray(y, np.float32) - np.float32(_BLACK)) * np.float32(255 / _SWING)
        return np.asarray(luma(self.upscale_rgb(np.dstack([grey] * 3))), np.float32)

    def upscale_rgb(self, rgb: Array) -> Array:
        rgb = np.asarray(rgb, np.float32)
        if self.contract.channels == 1:
            return self._luma_and_differences(rgb)
        order = slice(None, None, -1 if self.contract.colour == "bgr" else 1)
        planes = self._through(np.moveaxis(rgb, 2, 0)[order])
        return np.moveaxis(planes[order], 0, 2)

    def _luma_and_differences(self, rgb: Array) -> Array:
        """Y by the network, R - Y and B - Y by bicubic interpolation (multiples of Cr and Cb); G follows."""
        gain = np.float32(255 / _SWING)
        y = np.asarray(luma(rgb), np.float32)
        grey = (y - np.float32(_BLACK)) * gain
        red, blue = (_bicubic(rgb[..., channel] - grey, self.scale) for channel in (0, 2))
        large = (self.upscale_luma(y) - np.float32(_BLACK)) * gain
        planes = np.empty((3, *large.shape), np.float32)
        np.add(large, red, out=planes[0])
        np.add(large, blue, out=planes[2])
        # Weighted as Y weights its colours, the three differences sum to zero.
        r, g, b = (luma(np.eye(3)) - _BLACK).astype(np.float32)
        red *= r / g
        blue *= b / g
        np.subtract(large, red, out=planes[1])
        planes[1] -= blue
        return np.moveaxis(planes, 0, 2)

    def _through(self, planes: Array) -> Array:
        """Planes [C, H, W] in 0..255 through the network."""
        contract = self.contract
        if not contract.enlarges:
            planes = np.stack([_bicubic(plane, self.scale) for plane in planes])
        x = planes * np.float32(contract.white / 255)
        y = self._in_tiles(x, self.scale if contract.enlarges else 1)
        scaled: Array = y * np.float32(255 / contract.white)
        return scaled

    def _in_tiles(self, x: Array, scale: int) -> Array:
        """x [C, H, W] in one piece where it fits; padded by its edge where the graph wants another size."""
        multiple, (_, height, width) = self.contract.multiple, x.shape
        window, halo = _tile(self.contract.halo)  # in pixels of what goes in: HR ones, for SRCNN
        windows = [
            fixed or -(-balanced(length, window, halo) // multiple) * multiple
            for fixed, length in zip(self.contract.size, (height, width), strict=True)
        ]
        wanted = [
            max(fixed or 0, -(-length // multiple) * multiple)
            for fixed, length in zip(self.contract.size, (height, width), strict=True)
        ]
        x = np.pad(x, ((0, 0), (0, wanted[0] - height), (0, wanted[1] - width)), mode="edge")
        out = np.empty((len(x), wanted[0] * scale, wanted[1] * scale), np.float32)
        for rows, columns in cut(wanted, windows, halo):
            y = self._run(x[:, rows.start : rows.stop, columns.start : columns.stop], scale)
            out[:, rows.target(scale), columns.target(scale)] = y[:, rows.kept(scale), columns.kept(scale)]
        return out[:, : height * scale, : width * scale]

    def _run(self, tile: Array, scale: int) -> Array:
        with self._one_at_a_time:
            start = perf_counter()
            y = self.session.run(tile[None])
            self._spent.seconds += perf_counter() - start
        expected = (1, tile.shape[0], tile.shape[1] * scale, tile.shape[2] * scale)
        if y.shape != expected:
            raise InputError(
                f"{self.name} turned {tile.shape[2]}×{tile.shape[1]} pixels into {y.shape[3]}×{y.shape[2]}, "
                f"not ×{scale}: it takes pictures of particular sizes only"
            )
        if not np.isfinite(y).all():
            raise InputError(f"{self.name} gave values that are no numbers: try --value-range or --precision f32")
        planes: Array = y[0]
        return planes


class ChainedUpscaler(Upscaler):
    """One after the other, for scales that no network has."""

    def __init__(self, first: Upscaler, second: Upscaler) -> None:
        self.first, self.second = first, second
        self.name, self.runtime, self.precision = first.name, first.runtime, first.precision
        self.scale = first.scale * second.scale
        known = first.halo is not None and second.halo is not None
        self.halo = (first.halo or 0) + -(-(second.halo or 0) // first.scale) if known else None

    @property
    def seconds(self) -> float:
        return self.first.seconds + self.second.seconds

    @property
    def bytes_per_pixel(self) -> float:
        return max(self.first.bytes_per_pixel, self.first.scale**2 * (8 + self.second.bytes_per_pixel))

    def upscale_luma(self, y: Array) -> Array:
        return self.second.upscale_luma(self.first.upscale_luma(y))

    def upscale_rgb(self, rgb: Array) -> Array:
        return self.second.upscale_rgb(self.first.upscale_rgb(rgb))

    def upscale_grey(self, grey: Array) -> Array:
        return self.second.upscale_grey(self.first.upscale_grey(grey))


def _tile(halo: int | None) -> tuple[int, int]:
    if halo is None:
        return _BLIND_WINDOW, _BLIND_OVERLAP
    return max(_WINDOW, 8 * halo), halo


def _bicubic(plane: Array, scale: int) -> Array:
    if scale == 1:
        return np.asarray(plane, np.float32)
    return np.asarray(imresize(np.asarray(plane, np.float32), scale), np.float32)


def open_upscaler(
    model: str | Path = DEFAULT_MODEL,
    scale: float | None = None,
    *,
    runtime: str = "auto",
    threads: int | None = None,
    precision: str = "auto",
    channels: int | None = None,
    value_range: int | None = None,
    colour: str | None = None,
) -> Upscaler:
    """Open a method of enlarging.

    Args:
        model: a name of the zoo, a weight file of `subpixel train` (.safetensors), or anybody's network (.onnx).
        scale: a whole number; default 3 for a name of the zoo; a file knows its own.
        runtime, threads, precision: as in `runtime.open_session`.
        channels: 1 or 3, for an ONNX file that leaves it open.
        value_range: 1 or 255, the value of white, for an ONNX file; default: found out.
        colour: "y", "rgb" or "bgr", for an ONNX file; default y for one channel and rgb for three.

    Raises:
        UsageError: no such model or scale, or an option that does not go with it.
        InputError: the file cannot be used.
        MissingExtra: the runtime is not installed.
    """
    from subpixel.runtime import open_session

    if not isinstance(model, str | os.PathLike):
        raise UsageError(f"model {model!r} is neither a name nor a file: give one, such as 'espcn'")
    kind = Path(model).suffix.lower()
    foreign = {"channels": channels, "value_range": value_range, "colour": colour}
    for option, value in foreign.items():
        if value is not None and kind != ".onnx":
            raise UsageError(f"{option} (={value}) describes an ONNX file, and {model} is none: leave it out")
    if scale is not None:
        scale = int(checked_scale(scale, whole=True))
    if model == "bicubic":
        for option, setting in (("runtime", runtime), ("precision", precision)):
            if setting != "auto":
                raise UsageError(f"{option} {setting} has no effect on bicubic, which NumPy computes: leave it out")
        return BicubicUpscaler(DEFAULT_SCALE if scale is None else scale)
    settings: dict[str, Any] = {"runtime": runtime, "threads": threads, "precision": precision}
    if kind == ".onnx":
        return _open_foreign(Path(model), scale, settings, channels, value_range, colour)

    from subpixel.models import describe
    from subpixel.runtime.contract import Contract
    from subpixel.runtime.receptive_field import halo

    network = trained_network(model, scale)
    graph = network.to_onnx()
    white = describe(network.name).value_range[1]
    contract = Contract(network.scale, 1, "y", white, halo=halo(graph))
    int8, pairs = network.to_int8(), network.to_int8_pairs()
    session = open_session(graph, **settings, close=network.close_precisions, int8=int8, int8_even=pairs)
    if session.precision != "int8":
        return NetworkUpscaler(network.name, session, contract, graph)
    return NetworkUpscaler(network.name, session, contract, int8, network.to_int8_pairs(shuffled=False))


def trained_network(model: str | Path, scale: int | None = None) -> "TrainedNetwork":
    """A network of the zoo by its name (default: ×3), or the one in a weight file.

    Raises:
        UsageError: no such model or scale, or a file's scale is another.
        InputError: the file cannot be used.
    """
    from subpixel.models import load, read_weights

    if Path(model).suffix.lower() != ".safetensors":
        return load(str(model), DEFAULT_SCALE if scale is None else scale)
    network = read_weights(model)
    if scale not in (None, network.scale):
        raise UsageError(f"{model} enlarges ×{network.scale}, not ×{scale}: leave the scale out")
    return network


def _open_foreign(
    path: Path,
    scale: int | None,
    settings: dict[str, Any],
    channels: int | None,
    value_range: int | None,
    colour: str | None,
) -> Upscaler:
    from subpixel.runtime import open_session
    from subpixel.runtime.contract import find_contract
    from subpixel.runtime.onnx_file import read_graph
    from subpixel.runtime.planar import as_planar

    try:
        graph, channels = as_planar(read_graph(path), channels)
        session = open_session(graph, **settings)
        white = None if value_range is None else float(value_range)
        contract = find_contract(session, graph, channels, scale=scale, white=white, colour=colour)
    except (InputError, UsageError) as error:
        # The sentences below this one do not know the file's name.
        raise error if str(path) in str(error) else type(error)(f"{path}: {error}") from error
    return NetworkUpscaler(path.name, session, contract, graph)
