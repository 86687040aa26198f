"""Which network, or which two of them, a result's size asks for."""

from fractions import Fraction
from itertools import combinations_with_replacement
from math import ceil, prod
from pathlib import Path
from threading import Lock
from typing import Any

from subpixel.upscaling.target import DEFAULT_MODEL, DEFAULT_SCALE, Target
from subpixel.upscaling.upscaler import BicubicUpscaler, ChainedUpscaler, Upscaler, open_upscaler

_MOST = 3  # networks in a row


class Upscalers:
    """A model at every scale that it is asked for; each network is opened once, when it is first needed."""

    def __init__(self, model: str | Path = DEFAULT_MODEL, **settings: Any) -> None:
        """`settings`: those of `open_upscaler` but for the scale."""
        self._model, self._settings = model, settings
        self._open: dict[int | None, Upscaler] = {}
        self._lock = Lock()

    def default(self) -> Upscaler:
        """What is meant where nobody says how large: ×3, or what the file enlarges by."""
        return self._at(None if self._is_file else DEFAULT_SCALE)

    def at_least(self, factor: Fraction) -> Upscaler:
        """The network, or the chain of networks, that enlarges by the factor or the least more.

        Bicubic interpolation reaches every factor by itself, so for one that is not whole it is left to the
        resizing that follows.
        """
        if self._model == "bicubic":
            whole = factor.denominator == 1
            checked = self._at(int(factor) if whole else 2)  # a setting that bicubic has no use for is refused
            return checked if whole else BicubicUpscaler(1)
        scales = self._scales(factor)
        if not scales:
            return self._at(ceil(factor))  # which says that there are no weights
        chain = _chain(scales, factor)
        opened = [self._at(None if self._is_file else scale) for scale in chain]
        result = opened[0]
        for following in opened[1:]:
            result = ChainedUpscaler(result, following)
        return result

    def for_target(self, target: Target, size: tuple[int, int], large: tuple[int, int]) -> Upscaler:
        """For one picture; `size` and `large`: width and height before and after."""
        whole = target.factor
        return self.at_least(whole or max(Fraction(b, a) for a, b in zip(size, large, strict=True)))

    @property
    def name(self) -> str:
        """Of the model, or the file's name."""
        opened = next(iter(self._open.values()), None)
        return opened.name if opened else Path(self._model).name

    @property
    def runtime(self) -> str | None:
        """What computes; None before a network is open."""
        opened = next(iter(self._open.values()), None)
        return opened.runtime if opened else None

    @property
    def _is_file(self) -> bool:
        return Path(self._model).suffix.lower() in (".onnx", ".safetensors")

    def _scales(self, factor: Fraction) -> tuple[int, ...]:
        if not self._is_file:
            from subpixel.models import describe

            return describe(str(self._model)).shipped
        if None not in self._open and Path(self._model).suffix.lower() == ".onnx":
            self._open_file(factor)
        return (self._at(None).scale,)

    def _open_file(self, factor: Fraction) -> None:
        """A network that keeps the size (SRCNN) has to be told by how much its input is enlarged."""
        from subpixel.errors import UsageError

        with self._lock:
            try:
                self._open[None] = open_upscaler(self._model, None, **self._settings)
            except UsageError as error:
                if "--scale" not in str(error):
                    raise
                self._open[None] = open_upscaler(self._model, ceil(factor), **self._settings)

    def _at(self, scale: int | None) -> Upscaler:
        with self._lock:
            if scale not in self._open:
                self._open[scale] = open_upscaler(self._model, scale, **self._settings)
            return self._open[scale]


def _chain(scales: tuple[int, ...], factor: Fraction) -> tuple[int, ...]:
    """As few networks as will do, by the least product that reaches the factor; the larger ones first."""
    for count in range(1, _MOST + 1):
        reaching = [chain for chain in combinations_with_replacement(scales, count) if prod(chain) >= factor]
        if reaching:
            return tuple(sorted(min(reaching, key=prod), reverse=True))
    return (max(scales),) * _MOST
