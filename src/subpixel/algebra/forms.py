"""The three forms of the note's layer as geometry, and the kernel maps between them.

Along each axis a tap is named by one integer J: it carries x[i] to y[s·i + J].

    transposed convolution     tap k          J = d·k - p
    sub-pixel convolution      tap k          J = q - d·k                  (A1)
    LR convolution + shuffle   phase φ, tap m J = φ - c + s·(q - d·m)      (A2, A3)

p and c crop the output, q pads what is convolved. So a kernel is converted by looking its taps up by J: no
number changes, nothing is lost, and what the source holds no tap for is zero. Unlike `lower` these maps depend
on the geometry alone, never on the weights: they run inside a forward pass, and trained zeros stay weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from subpixel.algebra.arrays import NOTHING, Array, Index, gather
from subpixel.algebra.layers import Ints, Order, Pads


@dataclass(frozen=True)
class TransposedForm:
    """Transposed convolution: `crop` cuts (start, end) samples off the full output, or extends it where negative.

    Shape: weight `C O/g *K`.
    """

    kernel_size: Ints
    scale: Ints
    crop: Pads
    dilation: Ints

    def __post_init__(self) -> None:
        _check(self, {"kernel_size": 1, "scale": 1, "dilation": 1}, ("crop",))

    def offsets(self) -> tuple[Index, ...]:
        """J of every tap, per axis."""
        geometry = zip(self.kernel_size, self.crop, self.dilation, strict=True)
        return tuple(d * np.arange(K) - p for K, (p, _), d in geometry)

    def output_size(self, size: Sequence[int]) -> Ints:
        """s·(L - 1) + d·(K - 1) + 1 less the crop (Dumoulin & Visin, relationship 14)."""
        geometry = zip(size, self.kernel_size, self.scale, self.crop, self.dilation, strict=True)
        return tuple(s * (L - 1) + d * (K - 1) + 1 - p - e for L, K, s, (p, e), d in geometry)

    def taps_of(self, weight: Array, groups: int = 1) -> Array:
        """`(g c) o *K -> (g o) c *K`."""
        return _swap_maps(weight, groups, self.kernel_size)

    def weight_of(self, taps: Array, groups: int = 1) -> Array:
        """`(g o) c *K -> (g c) o *K`."""
        return _swap_maps(taps, groups, self.kernel_size)


@dataclass(frozen=True)
class SubpixelForm:
    """Sub-pixel convolution: s-1 zeros between the samples, (start, end) zeros around (negative: cut off), then
    an ordinary convolution (the note, Fig. 3b). Shape: weight `O C/g *K`.
    """

    kernel_size: Ints
    scale: Ints
    pads: Pads
    dilation: Ints

    def __post_init__(self) -> None:
        _check(self, {"kernel_size": 1, "scale": 1, "dilation": 1}, ("pads",))

    def offsets(self) -> tuple[Index, ...]:
        """J of every tap, per axis."""
        geometry = zip(self.kernel_size, self.pads, self.dilation, strict=True)
        return tuple(q - d * np.arange(K) for K, (q, _), d in geometry)

    def output_size(self, size: Sequence[int]) -> Ints:
        """Length of an ordinary convolution over s·(L - 1) + 1 samples."""
        geometry = zip(size, self.kernel_size, self.scale, self.pads, self.dilation, strict=True)
        return tuple(s * (L - 1) + 1 + q + r - d * (K - 1) for L, K, s, (q, r), d in geometry)

    def taps_of(self, weight: Array, groups: int = 1) -> Array:
        """As it is."""
        return weight

    def weight_of(self, taps: Array, groups: int = 1) -> Array:
        """As it is."""
        return taps


@dataclass(frozen=True)
class LRForm:
    """Convolution on the LR lattice to O·Πs maps, periodic shuffling, then a crop of (start, end) samples.

    `pads` are zeros around the LR input (negative: cut off). Shape: weight `(O *s) C/g *M` in order crd,
    `(*s O) C *M` in order dcr.
    """

    kernel_size: Ints
    scale: Ints
    pads: Pads
    dilation: Ints
    crop: Pads
    order: Order = "crd"

    def __post_init__(self) -> None:
        _check(self, {"kernel_size": 1, "scale": 1, "dilation": 1}, ("pads", "crop"))
        if any(c < 0 for pair in self.crop for c in pair):
            raise ValueError(f"`crop` (={self.crop}) must not be negative: enlarge `padding` to extend the output.")
        if self.order not in ("crd", "dcr"):
            raise ValueError(f"`order` (={self.order!r}) must be 'crd' (channel, phase) or 'dcr' (phase, channel).")

    def offsets(self) -> tuple[Index, ...]:
        """J of every tap (φ, m), m fastest, per axis."""
        geometry = zip(self.kernel_size, self.scale, self.pads, self.dilation, self.crop, strict=True)
        return tuple(
            (np.arange(s)[:, None] - c + s * (q - d * np.arange(M))).reshape(-1) for M, s, (q, _), d, (c, _) in geometry
        )

    def output_size(self, size: Sequence[int]) -> Ints:
        """s times the length of the LR convolution, less the crop."""
        geometry = zip(size, self.kernel_size, self.scale, self.pads, self.dilation, self.crop, strict=True)
        return tuple(s * (L + q + r - d * (M - 1)) - b - e for L, M, s, (q, r), d, (b, e) in geometry)

    def taps_of(self, weight: Array, groups: int = 1) -> Array:
        """`(o *s) c *M -> o c *(s M)`, or from `(*s o) c *M`."""
        d, s, M = len(self.scale), self.scale, self.kernel_size
        O, c = weight.shape[0] // prod(s), weight.shape[1]
        crd = self.order == "crd"
        split = weight.reshape((O, *s, c, *M) if crd else (*s, O, c, *M))
        phase, o = (range(1, 1 + d), 0) if crd else (range(d), d)
        pairs = [j for i in range(d) for j in (phase[i], 2 + d + i)]
        return _permute(split, [o, 1 + d, *pairs]).reshape((O, c, *(a * b for a, b in zip(s, M, strict=True))))

    def weight_of(self, taps: Array, groups: int = 1) -> Array:
        """`o c *(s M) -> (o *s) c *M`, or to `(*s o) c *M`."""
        d, s, M = len(self.scale), self.scale, self.kernel_size
        O, c = taps.shape[:2]
        split = taps.reshape((O, c, *(n for pair in zip(s, M, strict=True) for n in pair)))
        phases, sites = range(2, 2 + 2 * d, 2), range(3, 3 + 2 * d, 2)
        first = [0, *phases] if self.order == "crd" else [*phases, 0]
        return _permute(split, [*first, 1, *sites]).reshape((O * prod(s), c, *M))

    def bias_index(self, maps: int) -> Index:
        """Which entry of a flat bias `(O *s)` of the output's phases j mod s each LR map takes. Shape: `(O *s)`.

        The crop moves the phases: LR phase φ makes the samples with j mod s = (φ - c) mod s.
        """
        table = np.arange(maps * prod(self.scale)).reshape(maps, *self.scale)
        for axis, (start, _) in enumerate(self.crop):
            table = np.roll(table, start, 1 + axis)
        return (table if self.order == "crd" else np.moveaxis(table, 0, -1)).reshape(-1)


Form = TransposedForm | SubpixelForm | LRForm


# --- one form's geometry in another ------------------------------------------------------------------------------


def transposed_form(form: Form) -> TransposedForm:
    """The transposed convolution with every tap of `form`, K = s·M for an LR convolution (A5).

    An LR convolution that is dilated at s > 1 leaves gaps between its taps; they become taps that are zero.
    """
    if isinstance(form, TransposedForm):
        return form
    if isinstance(form, SubpixelForm):
        reach = [d * (K - 1) for K, d in zip(form.kernel_size, form.dilation, strict=True)]
        crop = tuple((n - q, n - r) for n, (q, r) in zip(reach, form.pads, strict=True))
        return TransposedForm(form.kernel_size, form.scale, crop, form.dilation)
    K, crops, dilation = [], [], []
    for M, s, (q, r), d, (b, e) in zip(form.kernel_size, form.scale, form.pads, form.dilation, form.crop, strict=True):
        sites = d * (M - 1)
        K.append(M if s == 1 else s * (sites + 1))
        dilation.append(d if s == 1 else 1)
        crops.append((s * (sites - q) + b, s * (sites - r) + e))
    return TransposedForm(tuple(K), form.scale, tuple(crops), tuple(dilation))


def subpixel_form(form: Form) -> SubpixelForm:
    """Zero insertion and the flipped kernel (A1)."""
    t = transposed_form(form)
    reach = [d * (K - 1) for K, d in zip(t.kernel_size, t.dilation, strict=True)]
    pads = tuple((n - p, n - e) for n, (p, e) in zip(reach, t.crop, strict=True))
    return SubpixelForm(t.kernel_size, t.scale, pads, t.dilation)


def lr_form(form: Form, aligned: bool = False) -> LRForm:
    """LR convolution and periodic shuffling (A2), dilated where s divides d.

    The crop at the start is free in [0, s) (A3): the smallest that leaves the fewest taps, or none if `aligned`.
    """
    t = transposed_form(form)
    axes = [_lr_axis(*axis, aligned) for axis in zip(t.kernel_size, t.scale, t.crop, t.dilation, strict=True)]
    M, pads, dilation, crop = (tuple(column) for column in zip(*axes, strict=True))
    return LRForm(M, t.scale, pads, dilation, crop)


def _lr_axis(
    K: int, s: int, crop: tuple[int, int], d: int, aligned: bool
) -> tuple[int, tuple[int, int], int, tuple[int, int]]:
    """M, pads, dilation and crop along one axis."""
    (p, e), reach = crop, d * (K - 1)
    dilation = d // s if d % s == 0 else 1

    def taps(c: int) -> int:
        return ((reach - p + c) // s - (c - p) // s) // dilation + 1

    c = 0 if aligned else min(range(s), key=taps)
    M, start = taps(c), (reach - p + c) // s
    whole = reach + 1 - s - p - e + c  # what the shuffled output has beyond s·L, the start's crop included
    sites = -(-whole // s)
    return M, (start, sites + dilation * (M - 1) - start), dilation, (c, s * sites - whole)


# --- kernels -----------------------------------------------------------------------------------------------------


def tap_index(source: Form, target: Form) -> Index:
    """For every tap of `target` (flat over the axes) the tap of `source` with the same J, or `NOTHING`."""
    flat = np.zeros((1,), np.intp)
    for have, want in zip(source.offsets(), target.offsets(), strict=True):
        at = _look_up(have, want)
        missing = (flat[:, None] == NOTHING) | (at == NOTHING)
        flat = np.where(missing, NOTHING, flat[:, None] * len(have) + at).reshape(-1)
    return flat


def convert(weight: Array, source: Form, target: Form, groups: int = 1) -> Array:
    """The weight of `target` that computes what `weight` does in `source`.

    Raises:
        ValueError: the two forms differ in scale or output length, or `target` has no place for a tap that is
            not zero.
    """
    ones = (1,) * len(source.scale)
    if source.scale != target.scale or source.output_size(ones) != target.output_size(ones):
        raise ValueError(f"{target} is not the layer {source} in another form: the outputs differ in size.")
    taps = source.taps_of(weight, groups)
    for axis, (have, want) in enumerate(zip(source.offsets(), target.offsets(), strict=True)):
        dropped = np.flatnonzero(_look_up(want, have) == NOTHING)
        if dropped.size and bool((gather(taps, 2 + axis, dropped) != 0).any()):
            raise ValueError(f"{target} has no place for {dropped.size} taps of {source} along axis {axis}.")
    O, c = taps.shape[:2]
    shape = tuple(len(offsets) for offsets in target.offsets())
    taps = gather(taps.reshape((O, c, -1)), 2, tap_index(source, target)).reshape((O, c, *shape))
    return target.weight_of(taps, groups)


def _look_up(have: Index, want: Index) -> Index:
    """Where each of `want` stands in `have`, or `NOTHING`."""
    found = have[:, None] == want
    return np.where(found.any(axis=0), found.argmax(axis=0), NOTHING)


def _swap_maps(array: Array, groups: int, tail: Ints) -> Array:
    """`(g a) b *K -> (g b) a *K`."""
    a, b = array.shape[0] // groups, array.shape[1]
    split = array.reshape((groups, a, b, *tail))
    return _permute(split, [0, 2, 1, *range(3, 3 + len(tail))]).reshape((groups * b, a, *tail))


def _permute(array: Array, axes: list[int]) -> Array:
    """As `arrays.permute`, without looking up a namespace: torch.compile does not follow that."""
    return array.permute(axes) if hasattr(array, "permute") else array.transpose(axes)


def _check(form: Form, least: dict[str, int], pairs: tuple[str, ...]) -> None:
    d = len(form.scale)
    for name, minimum in least.items():
        value = getattr(form, name)
        if len(value) != d or any(v < minimum for v in value):
            raise ValueError(f"`{name}` (={value}) needs {d} integers ≥ {minimum}, one per axis.")
    for name in pairs:
        value = getattr(form, name)
        if len(value) != d or any(len(pair) != 2 for pair in value):
            raise ValueError(f"`{name}` (={value}) needs {d} pairs (start, end), one per axis.")
