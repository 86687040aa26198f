"""A network as plain data: a short tuple of steps, from which every form of it is made.

`onnx_graph` makes the ONNX graph, `module` the PyTorch module, and this file the counts. Two steps that
carry the same `name` share their weights (DRCN's recursion); `Remember` and `AddRemembered` make skips.
"""

from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from subpixel.algebra import Op


@dataclass(frozen=True)
class Convolution:
    """Stride 1, zero padding (kernel - 1) / 2: the map keeps its size. Weight [O, C, K, K], bias [O]."""

    name: str
    inputs: int
    outputs: int
    kernel: int

    def __post_init__(self) -> None:
        if self.kernel % 2 == 0:
            raise ValueError(f"`kernel` (={self.kernel}) of convolution {self.name!r} must be odd")

    def parameters(self) -> dict[str, tuple[int, ...]]:
        weight = (self.outputs, self.inputs, self.kernel, self.kernel)
        return {f"{self.name}.weight": weight, f"{self.name}.bias": (self.outputs,)}


@dataclass(frozen=True)
class TransposedConvolution:
    """Output exactly `stride` times the input. Weight [C, O, K, K], bias [O], both in PyTorch's order."""

    name: str
    inputs: int
    outputs: int
    kernel: int
    stride: int

    def __post_init__(self) -> None:
        if self.kernel < self.stride:
            raise ValueError(
                f"`kernel` (={self.kernel}) of {self.name!r} must not be below its `stride` (={self.stride})"
            )

    @property
    def padding(self) -> int:
        """s·(L-1) + K - 2p + a = s·L has the solution p = ⌈(K-s)/2⌉, a = 2p - (K-s)."""
        return (self.kernel - self.stride + 1) // 2

    @property
    def output_padding(self) -> int:
        return 2 * self.padding - (self.kernel - self.stride)

    def parameters(self) -> dict[str, tuple[int, ...]]:
        weight = (self.inputs, self.outputs, self.kernel, self.kernel)
        return {f"{self.name}.weight": weight, f"{self.name}.bias": (self.outputs,)}


@dataclass(frozen=True)
class Activation:
    """A pointwise function; `prelu` has learned slopes, one per channel or, with `channels` = 1, one for all maps.

    One slope for all is a LeakyReLU once it is learnt, which runtimes fuse into the convolution before it.
    """

    kind: Literal["relu", "tanh", "prelu"]
    name: str = ""
    channels: int = 0

    def __post_init__(self) -> None:
        if self.kind == "prelu" and not (self.name and self.channels > 0):
            raise ValueError("a prelu has learned slopes: give it `name` and `channels`")

    def parameters(self) -> dict[str, tuple[int, ...]]:
        return {f"{self.name}.slope": (self.channels,)} if self.kind == "prelu" else {}


@dataclass(frozen=True)
class PeriodicShuffle:
    """[N, C·r², H, W] to [N, C, rH, rW], channels in CRD order (PyTorch's PixelShuffle); ESPCN eq. 4."""

    scale: int

    def parameters(self) -> dict[str, tuple[int, ...]]:
        return {}


@dataclass(frozen=True)
class Interpolation:
    """Bicubic interpolation of every map as MATLAB's imresize computes it, but that the border is repeated.

    It is one fixed convolution in LR space, r² phases of a kernel of odd size, then the shuffle (law A7).
    """

    scale: int

    def parameters(self) -> dict[str, tuple[int, ...]]:
        return {}

    @property
    def phases(self) -> "NDArray[np.float32]":
        """The kernels [r², K, K], phase r·dy + dx, centred on the LR pixel."""
        import numpy as np

        from subpixel.algebra import Resize, lift

        r = self.scale
        op = lift(Resize(1, (r,), "cubic", cubic_a=-0.5))  # [1, r, 1, K] over x[n + low + k]
        rows = np.asarray(op.kernel)[0, :, 0]
        reach = max(-op.low[0], rows.shape[1] - 1 + op.low[0])
        centred = np.zeros((r, 2 * reach + 1))
        centred[:, reach + op.low[0] : reach + op.low[0] + rows.shape[1]] = rows
        kernels = np.einsum("ah,bw->abhw", centred, centred)  # separable: rows, then columns
        return np.asarray(kernels.reshape(r * r, *kernels.shape[2:]), np.float32)


@dataclass(frozen=True)
class Repetition:
    """Nearest-neighbour upsampling: every pixel of every map r² times (law A6)."""

    scale: int

    def parameters(self) -> dict[str, tuple[int, ...]]:
        return {}


@dataclass(frozen=True)
class Remember:
    """Keeps the maps at this point under `name` for a later `AddRemembered`."""

    name: str

    def parameters(self) -> dict[str, tuple[int, ...]]:
        return {}


@dataclass(frozen=True)
class AddRemembered:
    """Adds remembered maps, each repeated `repeat` times: x[N, C] to x[N, (C repeat)].

    With repeat = r² before a shuffle by r, that is the nearest-neighbour skip, for nothing (law A15).
    """

    name: str
    repeat: int = 1

    def parameters(self) -> dict[str, tuple[int, ...]]:
        return {}


@dataclass(frozen=True)
class Recall:
    """Goes on from the maps that a `Remember` kept."""

    name: str

    def parameters(self) -> dict[str, tuple[int, ...]]:
        return {}


@dataclass(frozen=True)
class WeightedSum:
    """Σ w[d] · (the maps remembered under `parts[d]`), the weights learnt (DRCN's ensemble of its recursions)."""

    name: str
    parts: tuple[str, ...]

    def parameters(self) -> dict[str, tuple[int, ...]]:
        return {f"{self.name}.weight": (len(self.parts),)}


Step = (
    Convolution
    | TransposedConvolution
    | Activation
    | PeriodicShuffle
    | Interpolation
    | Repetition
    | Remember
    | AddRemembered
    | Recall
    | WeightedSum
)


@dataclass(frozen=True)
class Network:
    """Steps from an LR picture [N, channels, H, W] to the HR picture [N, channels, scale·H, scale·W]."""

    name: str
    scale: int
    steps: tuple[Step, ...]
    channels: int = 1

    def parameters(self) -> dict[str, tuple[int, ...]]:
        """The shape of every weight by its name; shared weights stand once.

        Raises:
            ValueError: if two steps of one name ask for different shapes.
        """
        shapes: dict[str, tuple[int, ...]] = {}
        for step in self.steps:
            for name, shape in step.parameters().items():
                if shapes.setdefault(name, shape) != shape:
                    raise ValueError(f"steps named {name!r} share weights but differ in shape")
        return shapes

    @property
    def parameter_count(self) -> int:
        return sum(prod(shape) for shape in self.parameters().values())

    @property
    def macs_per_lr_pixel(self) -> int:
        """Multiplications with a kernel's learnt weight for each LR pixel; padding counts as data."""
        return sum(area * layer.inputs * layer.outputs * layer.kernel**2 for layer, area in self._layers())

    @property
    def activations_per_lr_pixel(self) -> int:
        """Numbers that the learnt layers write for each LR pixel: what memory traffic is made of."""
        return sum(self._written())

    @property
    def widest_per_lr_pixel(self) -> int:
        """The most numbers that go into a learnt layer and come out of it, for each LR pixel."""
        written = self._written()
        return max(a + b for a, b in pairwise([self.channels, *written]))

    def _written(self) -> list[int]:
        """Numbers that each learnt layer writes for each LR pixel."""
        return [
            area * layer.outputs * (layer.stride**2 if isinstance(layer, TransposedConvolution) else 1)
            for layer, area in self._layers()
        ]

    def _layers(self) -> "Iterator[tuple[Convolution | TransposedConvolution, int]]":
        """Each learnt layer, and how many pixels it reads for each LR pixel."""
        area, remembered = 1, dict[str, int]()
        for step in self.steps:
            if isinstance(step, Convolution | TransposedConvolution):
                yield step, area
            if isinstance(step, TransposedConvolution):
                area *= step.stride**2
            elif isinstance(step, PeriodicShuffle | Interpolation | Repetition):
                area *= step.scale**2
            elif isinstance(step, Remember):
                remembered[step.name] = area
            elif isinstance(step, Recall):
                area = remembered[step.name]

    @property
    def receptive_field(self) -> int:
        """Side of the square of LR pixels that one HR pixel is made from (the widest phase)."""
        from subpixel.algebra import receptive_field

        path = self._path()
        return receptive_field(path)[0] if path is not None else 1

    @property
    def windows(self) -> tuple[tuple[int, int], ...]:
        """Phase by phase along an axis, the first and last LR pixel that HR pixel r·n + φ is made from, less n."""
        import numpy as np

        path = self._path()
        if path is None:
            return ((0, 0),) * self.scale
        read = [np.flatnonzero(phase) + path.low[0] for phase in np.asarray(path.kernel)[0, :, 0]]
        return tuple((int(taps[0]), int(taps[-1])) for taps in read)

    def _path(self) -> "Op | None":
        """The layers along one axis, all weights one: which pixels are read does not depend on maps or weights."""
        import numpy as np

        from subpixel.algebra import Resize, compose_all, convolution, lift, transposed_convolution

        ops: list[Op] = []
        remembered: dict[str, list[Op]] = {}
        for step in self.steps:
            if isinstance(step, Convolution):
                ops.append(lift(convolution(np.ones((1, 1, step.kernel)), padding=step.kernel // 2)))
            elif isinstance(step, TransposedConvolution):
                ones, s = np.ones((1, 1, step.kernel)), step.stride
                ops.append(lift(transposed_convolution(ones, None, s, step.padding, step.output_padding)))
            elif isinstance(step, PeriodicShuffle | Repetition):
                ops.append(lift(Resize(1, (step.scale,), "nearest")))  # every phase reads its own LR pixel
            elif isinstance(step, Interpolation):
                ops.append(lift(Resize(1, (step.scale,), "cubic", cubic_a=-0.5)))
            elif isinstance(step, Remember):
                remembered[step.name] = list(ops)
            elif isinstance(step, Recall):
                ops = list(remembered[step.name])
            elif isinstance(step, WeightedSum):
                ops = max((remembered[part] for part in step.parts), key=len)  # the deepest sees the most
        return compose_all(ops).interior if ops else None

    def config(self) -> dict[str, object]:
        """What a weight file's header says of the architecture, and is checked against on reading."""
        steps = [{"step": type(step).__name__, **vars(step)} for step in self.steps]
        return {"name": self.name, "scale": self.scale, "channels": self.channels, "steps": steps}
