"""Random chains of ONNX nodes, rewritten with every goal, against our own index sums and onnxruntime.

`check_chain(rng)` is what scripts/check-exact runs by the thousand. A chain is drawn as nodes and, written down
independently of any reader, as plain loops over whole numbers (`algebra.oracle`). The original in onnxruntime with
every optimisation off and the rewritten model must both give what the loops give: equal where all kernels are
dyadic fractions, else within 2·n·u·(|w| * |x|). Interpolation and pooling are scaled to integers by `unit`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial
from math import prod
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import NodeProto, TensorProto, helper, numpy_helper

from algebra import oracle
from algebra.running import run
from subpixel.algebra import (
    Affine,
    Convolution,
    Layer,
    Pad,
    PeriodicShuffle,
    TransposedConvolution,
    ZeroInsertion,
    lift,
)
from subpixel.rewriting import Rewritten, rewrite
from subpixel.rewriting.choice.duel import Duel

Array = np.ndarray
Rng = np.random.Generator

KINDS = (
    "transposed",
    "nearest",
    "linear",
    "cubic",
    "shuffle",
    "zeros",
    "convolution",
    "affine",
    "pad",
    "pool",
    "crop",
    "concat",
    "pointwise",
)
OFTEN = np.array([4, 4, 2, 1, 3, 2, 4, 2, 2, 1, 1, 2, 1])
ROUNDINGS = ("floor", "ceil", "round_prefer_floor", "round_prefer_ceil")
COORDINATES = ("asymmetric", "half_pixel", "pytorch_half_pixel", "tf_half_pixel_for_nn")
MOST = 2.0**22  # sums below are exact in float32, fractions of interpolation included
MANY = 60_000  # samples of a map, at most
FINEST = 1 << 40  # units of 1: with sums up to MOST they stay below 2⁶³
SMALL = {1: 9, 2: 6, 3: 4}  # by dimension: sizes that the loops see stay below
LONG = {1: 40, 2: 20, 3: 12}  # every rewritten chain runs at such a size of its input, whatever its borders need

Size = tuple[int, ...]
Run = Callable[[Array, int], Array]
"""Whole numbers that stand for x = numbers / unit, in and out; a bias counts unit times."""


@dataclass(frozen=True)
class Step:
    """One layer of a chain: how the loops run it, a bound on the size of its sums, and the size that it gives."""

    kind: str
    run: Run
    bound: Run
    size: Callable[[Size], Size]
    unit: int = 1
    skip: str = ""


@dataclass
class Chain:
    """A random chain as a model, and its steps by our own loops. `skips` are maps of further inputs (concat)."""

    rng: Rng
    d: int = 2
    first: int = 2
    maps: int = 2
    value: str = "x"
    exact: bool = True
    nodes: list[NodeProto] = field(default_factory=list)
    weights: dict[str, Array] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    skips: dict[str, int] = field(default_factory=dict)

    @property
    def kinds(self) -> list[str]:
        """What was drawn."""
        return [step.kind for step in self.steps]

    def model(self) -> onnx.ModelProto:
        """The chain as a checked model, batch and sizes open."""
        shapes: dict[str, list[int | str]] = {"x": ["N", self.first, *"TWH"[: self.d]]}
        shapes |= {name: ["N", C, *(f"{name}{i}" for i in range(self.d))] for name, C in self.skips.items()}
        graph = helper.make_graph(
            self.nodes,
            "chain",
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()],
            [helper.make_tensor_value_info(self.value, TensorProto.FLOAT, [None] * (2 + self.d))],
            [numpy_helper.from_array(value, name) for name, value in self.weights.items()],
        )
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
        onnx.checker.check_model(made)
        return made

    def feeds(self, size: Sequence[int]) -> dict[str, Array] | None:
        """Small whole numbers of this size; None where a layer would leave nothing."""
        shapes = {"x": (2, self.first, *size)}
        now: Size = tuple(int(n) for n in size)
        for step in self.steps:
            if step.skip:
                shapes[step.skip] = (2, self.skips[step.skip], *now)
            now = step.size(now)
            if min(now) < 1 or prod(now) > MANY:
                return None
        return {name: self.rng.integers(-4, 5, shape).astype(np.float32) for name, shape in shapes.items()}

    def expected(self, feeds: dict[str, Array], absolute: bool = False) -> tuple[Array, int]:
        """By our own loops: whole numbers and what to divide them by. `absolute`: a bound on the sums instead."""
        whole = {name: value.astype(np.int64) for name, value in feeds.items()}
        if absolute:
            whole = {name: np.abs(value) for name, value in whole.items()}
        y, unit = whole["x"], 1
        for step in self.steps:
            if step.skip:
                parts = [y, whole[step.skip] * unit]
                y = np.concatenate(parts if step.kind == "concat" else parts[::-1], axis=1)
                continue
            y = (step.bound if absolute else step.run)(y, unit)
            unit *= step.unit
        return y, unit

    # --- drawing -----------------------------------------------------------------------------------------------

    def whole(self, *shape: int) -> Array:
        return self.rng.integers(-3, 4, shape)

    def ints(self, low: int, high: int) -> tuple[int, ...]:
        return tuple(int(v) for v in self.rng.integers(low, high, self.d))

    def pairs(self, high: int) -> tuple[tuple[int, int], ...]:
        return tuple(zip(self.ints(0, high), self.ints(0, high), strict=True))

    def bias(self, O: int) -> Array | None:
        return self.whole(O) if self.rng.random() < 0.6 else None

    def add(self, op: str, inputs: Sequence[str | Array | None], **attributes: Any) -> str:
        """A node over values and weights."""
        at, names = len(self.nodes), []
        for i, value in enumerate(inputs):
            if isinstance(value, str) or value is None:
                names.append(value or "")
                continue
            names.append(f"w{at}_{i}")
            self.weights[names[-1]] = value
        output = f"v{at}"
        self.nodes.append(helper.make_node(op, names, [output], name=f"n{at}", **attributes))
        return output

    def layer(self, kind: str, layer: Layer, op: str, weights: Sequence[Array | None], **attributes: Any) -> None:
        """One node that is one layer of whole numbers."""
        given = [None if w is None else w.astype(np.float32) for w in weights]
        while given and given[-1] is None:
            given.pop()
        self.value = self.add(op, [self.value, *given], **attributes)
        self.steps.append(_step(kind, layer))

    def convolution(self, times: int = 1) -> None:
        """`times`: the number of its maps is a multiple of this."""
        K, dilation, pads = self.ints(1, 4), self.ints(1, 3), self.pairs(3)
        stride = self.ints(1, 3) if self.rng.random() < 0.2 else (1,) * self.d
        g = int(self.rng.choice([1, 1, 2])) if self.maps % 2 == 0 else 1
        O = times * g * int(self.rng.integers(1, 4 if times == 1 else 2))
        w, b = self.whole(O, self.maps // g, *K), self.bias(O)
        layer = Convolution(w, b, stride, pads, dilation, g)
        self.layer("convolution", layer, "Conv", [w, b], strides=stride, pads=_flat(pads), dilations=dilation, group=g)
        self.maps = O

    def transposed(self) -> None:
        K, dilation, stride, pads = self.ints(1, 6), self.ints(1, 4), self.ints(1, 4), self.pairs(3)
        adj = tuple(int(self.rng.integers(0, s)) for s in stride)
        g = int(self.rng.choice([1, 1, self.maps]))
        o = int(self.rng.integers(1, 4))
        w, b = self.whole(self.maps, o, *K), self.bias(o * g)
        layer = TransposedConvolution(w, b, stride, pads, adj, dilation, g)
        given = {"strides": stride, "pads": _flat(pads), "output_padding": adj, "dilations": dilation, "group": g}
        self.layer("transposed", layer, "ConvTranspose", [w, b], **given)
        self.maps = o * g

    def nearest(self) -> None:
        s = self.ints(1, 4)
        coordinate, rounding = str(self.rng.choice(COORDINATES)), str(self.rng.choice(ROUNDINGS))
        if coordinate == "tf_half_pixel_for_nn" and 1 in s:
            rounding = "floor"  # others move an axis of factor 1, where runtimes disagree
        rows = partial(oracle.nearest, coordinate=coordinate, rounding=rounding)
        self.resize("nearest", s, rows, 1, coordinate_transformation_mode=coordinate, nearest_mode=rounding)

    def linear(self) -> None:
        if self.d == 3:
            return self.nearest()
        s = tuple(int(v) for v in self.rng.choice([1, 2, 2, 3, 4], self.d))
        coordinate = "asymmetric" if self.rng.random() < 0.4 else "half_pixel"
        self.exact &= 3 not in s
        rows = partial(oracle.linear, coordinate=coordinate)
        self.resize("linear", s, rows, 24, coordinate_transformation_mode=coordinate)
        return None

    def cubic(self) -> None:
        if self.d != 2:
            return self.linear()
        s, a = self.ints(1, 4), Fraction(str(self.rng.choice(["-0.75", "-0.5"])))
        coordinate = "asymmetric" if self.rng.random() < 0.4 else "half_pixel"
        self.exact = False
        rows = partial(oracle.cubic, coordinate=coordinate, a=a)
        unit = 4 * 12**3  # t is a multiple of 1/(2s), the weights are cubics in t times 1/4
        modes = {"coordinate_transformation_mode": coordinate, "cubic_coeff_a": float(a)}
        self.resize("cubic", s, rows, unit, **modes)
        return None

    def resize(self, mode: str, s: tuple[int, ...], rows: Any, unit: int, **modes: str | float) -> None:
        scales = np.array([1, 1, *s], np.float32)
        self.value = self.add("Resize", [self.value, None, scales], mode=mode, **modes)

        def by_loops(x: Array, of: int, absolute: bool = False) -> Array:
            matrices = [rows(L, f) for L, f in zip(x.shape[2:], s, strict=True)]
            if absolute:
                matrices = [[[abs(w) for w in row] for row in matrix] for matrix in matrices]
            return oracle.resize(x, matrices, unit)

        def size(now: Size) -> Size:
            return tuple(L * f for L, f in zip(now, s, strict=True))

        self.steps.append(Step(mode, by_loops, partial(by_loops, absolute=True), size, unit**self.d))

    def shuffle(self) -> None:
        """DepthToSpace, or Reshape–Transpose–Reshape with the sizes taken at run time."""
        r = self.ints(1, 4) if self.rng.random() < 0.4 else (2,) * self.d
        if self.maps % prod(r):
            self.convolution(times=prod(r))
        order, d, O = ("crd" if self.rng.random() < 0.5 else "dcr"), self.d, self.maps // prod(r)
        if d == 2 and r[0] == r[1] and self.rng.random() < 0.6:
            self.value = self.add("DepthToSpace", [self.value], blocksize=r[0], mode=order.upper())
        else:
            if order == "crd":
                split, perm = [O, *r], [0, 1, *(j for i in range(d) for j in (2 + d + i, 2 + i))]
            else:
                split, perm = [*r, O], [0, 1 + d, *(j for i in range(d) for j in (2 + d + i, 1 + i))]
            size = self.size()
            target = self.add("Concat", [np.array([0, *split]), size], axis=0)
            y = self.add("Transpose", [self.add("Reshape", [self.value, target])], perm=perm)
            finer = self.add("Mul", [size, np.array(r)])
            self.value = self.add("Reshape", [y, self.add("Concat", [np.array([0, O]), finer], axis=0)])
        self.steps.append(_step("shuffle", PeriodicShuffle(O, r, order)))  # type: ignore[arg-type]
        self.maps = O

    def zeros(self) -> None:
        """Zero insertion written out: an axis of one, zeros at its end, merged."""
        s, d = self.ints(1, 4), self.d
        tail = tuple(f - 1 for f in s)
        y = self.add("Unsqueeze", [self.value, np.array([3 + 2 * i for i in range(d)])])
        pads = np.array([0] * (4 + 2 * d) + [t for f in s for t in (0, f - 1)])
        finer = self.add("Mul", [self.size(), np.array(s)])
        y = self.add("Pad", [y, pads])
        self.value = self.add("Reshape", [y, self.add("Concat", [np.array([0, self.maps]), finer], axis=0)])
        self.steps.append(_step("zeros", ZeroInsertion(self.maps, s, tail)))

    def size(self) -> str:
        shape = self.add("Shape", [self.value])
        return self.add("Slice", [shape, np.array([2]), np.array([2 + self.d])])

    def affine(self) -> None:
        c, dims = self.whole(self.maps), (1, self.maps, *(1,) * self.d)
        op = str(self.rng.choice(["Mul", "Add", "Sub"]))
        layer = {
            "Mul": Affine(c, c * 0, self.d),
            "Add": Affine(c * 0 + 1, c, self.d),
            "Sub": Affine(c * 0 + 1, -c, self.d),
        }[op]
        self.layer("affine", layer, op, [c.reshape(dims)])

    def pad(self) -> None:
        pads = self.pairs(3)
        mode = "edge" if self.rng.random() < 0.5 else "constant"
        flat = np.array([0, 0, *(p for p, _ in pads), 0, 0, *(q for _, q in pads)])
        self.value = self.add("Pad", [self.value, flat], mode=mode)
        self.steps.append(_step("pad", Pad(self.maps, pads, "edge" if mode == "edge" else "zero")))

    def crop(self) -> None:
        pads = tuple((-p, -q) for p, q in self.pairs(2))
        starts = np.array([-p for p, _ in pads])
        ends = np.array([q or np.iinfo(np.int64).max for _, q in pads])
        self.value = self.add("Slice", [self.value, starts, ends, np.arange(2, 2 + self.d)])
        self.steps.append(_step("crop", Pad(self.maps, pads)))

    def pool(self) -> None:
        K = tuple(int(v) for v in self.rng.choice([1, 2], self.d))
        self.value = self.add("AveragePool", [self.value], kernel_shape=K, strides=K)

        def by_loops(x: Array, unit: int) -> Array:
            return oracle.sum_pool(x, K, K, ((0, 0),) * len(K))

        def size(now: Size) -> Size:
            return tuple(L // k for L, k in zip(now, K, strict=True))

        self.steps.append(Step("pool", by_loops, by_loops, size, prod(K)))

    def concat(self) -> None:
        """What was drawn so far, beside another input of the same size; and a convolution over both."""
        name, C = f"k{len(self.skips)}", int(self.rng.integers(1, 4))
        self.skips[name] = C
        last = self.rng.random() < 0.5
        self.value = self.add("Concat", [self.value, name] if last else [name, self.value], axis=1)
        self.steps.append(Step("concat" if last else "concat first", _same, _same, _kept, skip=name))
        self.maps += C
        self.convolution()

    def pointwise(self) -> None:
        self.value = self.add("Relu", [self.value])
        self.steps.append(Step("pointwise", lambda x, unit: np.maximum(x, 0), _same, _kept))


def draw_chain(rng: Rng) -> Chain:
    """A chain with at least one upsampling; a resize at its end gets a convolution."""
    chain = Chain(rng, d=int(rng.choice([1, 2, 2, 2, 3])))
    chain.first = chain.maps = int(rng.choice([2, 3, 4, 8]))
    for kind in rng.choice(KINDS, int(rng.integers(1, 5)), p=OFTEN / OFTEN.sum()):
        getattr(chain, str(kind))()
    if not {"transposed", "nearest", "linear", "cubic", "shuffle", "zeros"} & set(chain.kinds):
        chain.transposed()
    if chain.kinds[-1] in ("nearest", "linear", "cubic", "zeros"):
        chain.convolution()
    return chain


def _same(x: Array, unit: int) -> Array:
    return x


def _kept(size: Size) -> Size:
    return size


def _flat(pads: tuple[tuple[int, int], ...]) -> list[int]:
    return [p for p, _ in pads] + [q for _, q in pads]


def _step(kind: str, layer: Layer) -> Step:
    def by_loops(layer: Layer, x: Array, unit: int) -> Array:
        for name in ("bias", "shift"):
            if getattr(layer, name, None) is not None:
                layer = replace(layer, **{name: getattr(layer, name) * unit})  # type: ignore[type-var]
        return run(layer, x)

    numbers = ("weight", "bias", "scale", "shift")
    positive = {name: np.abs(v) for name in numbers if (v := getattr(layer, name, None)) is not None}
    absolute = replace(layer, **positive) if positive else layer  # type: ignore[type-var]
    return Step(kind, partial(by_loops, layer), partial(by_loops, absolute), lift(layer).output_size)


# --- checking ------------------------------------------------------------------------------------------------------


class Turn:
    """A clock for which one candidate is fast: number `turn` of all, in the order in which sites are timed."""

    def __init__(self, turn: int) -> None:
        self.identity, self.turn, self.count = f"turn {turn} {id(self)}", turn, 0
        self.picked: set[str] = set()

    def race(self, models: Sequence[Any], feeds: Any, names: Sequence[str]) -> list[float | None]:
        """See `subpixel.rewriting.Clock`."""
        likes = self.turn - self.count + 1
        self.count += len(names) - 1
        if 1 <= likes < len(names):
            self.picked.add(names[likes])
        return [1.0 if i == likes else 2.0 for i in range(len(names))]

    def duel(self, before: Any, after: Any, feeds: Any) -> Duel:
        """See `subpixel.rewriting.Clock`."""
        return Duel([2.0] * 8, [1.0] * 8)


class Whim(Turn):
    """A clock that likes one candidate of every site, drawn, and one of several cuts of a chain best."""

    def __init__(self, rng: Rng) -> None:
        super().__init__(-1)
        self.rng = rng

    def race(self, models: Sequence[Any], feeds: Any, names: Sequence[str]) -> list[float | None]:
        """See `subpixel.rewriting.Clock`."""
        times = super().race(models, feeds, names)
        if len(names) > 1:
            likes = int(self.rng.integers(1, len(names)))
            self.picked.add(names[likes])
            times[likes] = float(self.rng.uniform(0.1, 1))
        return times


class Content(Turn):
    """A clock to which all forms are equally fast: what is there stays."""

    def __init__(self) -> None:
        super().__init__(-1)
        self.identity = "content"

    def race(self, models: Sequence[Any], feeds: Any, names: Sequence[str]) -> list[float | None]:
        """See `subpixel.rewriting.Clock`."""
        return [1.0] * len(names)


def check_chain(rng: Rng, tally: Counter[str] | None = None) -> str | None:
    """Draw a chain and rewrite it with every goal. None where all is equal, else what was not.

    With `fastest` a clock likes one candidate of each site, drawn; in one draw of five each has its turn.

    Rewriting twice must change nothing the second time. With `fastest` that can be said of a clock to which no
    form is faster than what is there; one that likes the n-th candidate may well like another one the second time.

    `tally` counts chains, rewritten sites, comparisons, and what each candidate of `fastest` was.
    """
    tally = Counter() if tally is None else tally
    while True:  # sums must stay whole numbers of float32
        chain = draw_chain(rng)
        feeds = _feeds(chain) if prod(step.unit for step in chain.steps) <= FINEST else []
        if feeds:
            expected = [chain.expected(given) for given in feeds[:-1]]
            bounds = [chain.expected(given, absolute=True) for given in feeds[:-1]]
            most = max(float(y.max()) / unit for y, unit in bounds)
            if most < MOST:
                break
    fault = _check(chain, feeds, expected, most, tally)
    if fault is None:
        return None
    shapes = {name: list(w.shape) for name, w in chain.weights.items()}
    nodes = "; ".join(f"{n.op_type} {[helper.get_attribute_value(a) for a in n.attribute]}" for n in chain.nodes)
    return f"{fault}\n{chain.first} maps: {nodes}\n{shapes}"


def _feeds(chain: Chain) -> list[dict[str, Array]]:
    """The least size that leaves something of every layer, a random one, and a long one; unequal axes."""
    rng, d = chain.rng, chain.d
    tried = (chain.feeds([L + (1 if i else 0) for i in range(d)]) for L in range(1, SMALL[d]))
    least = next((given for given in tried if given is not None), None)
    some = chain.feeds(rng.integers(1, SMALL[d], d))
    long = chain.feeds([LONG[d] + i for i in range(d)])
    return [given for given in [least, some, long] if given is not None] if least and long else []


def _check(
    chain: Chain, feeds: list[dict[str, Array]], expected: list[tuple[Array, int]], most: float, tally: Counter[str]
) -> str | None:
    """`most`: a bound on |w| * |x| at the sizes of `expected`."""
    model = chain.model()
    original, wanted = Session(model), []
    terms = sum(w.size for w in chain.weights.values()) + 64 * len(chain.steps)
    unit_roundoff = 0.0 if chain.exact else 2.0**-24
    for i, given in enumerate(feeds):
        y = original(given)
        if y is None:
            return f"onnxruntime does not run the original at {given['x'].shape}: {original.failure}"
        if i < len(expected):  # the long one is onnxruntime's word alone
            whole, unit = expected[i]
            fault = _differs(y * np.float64(unit), whole, 2 * terms * unit_roundoff * most * unit)
            if fault is not None:
                return f"onnxruntime and the loops disagree at {given['x'].shape}: {fault}"
        wanted.append(y)
        most = max(most, float(np.abs(y).max(initial=0)))  # short inputs may give nothing but zeros, long ones more
    allowed = 2 * terms * unit_roundoff * most
    tally["chains"] += 1
    for goal in ("lr", "deconv"):
        done = rewrite(model, goal, growth=None)
        fault = _check_goal(chain, model, goal, done, feeds, wanted, allowed, tally)
        if fault is None and done.report["rewritten"] and rewrite(done.model, goal, growth=None).model != done.model:
            fault = "rewriting twice changes something the second time"
        if fault is not None:
            return f"{goal}: {fault}"
    inputs = {name: list(value.shape) for name, value in feeds[-1].items()}
    for clock in _clocks(chain.rng):
        done = rewrite(model, "fastest", clock=clock, growth=None, inputs=inputs)
        for name in clock.picked:
            tally["candidate: " + name.split(",")[0].split(";")[0]] += 1
        fault = _check_goal(chain, model, "fastest", done, feeds, wanted, allowed, tally)
        if fault is None and done.report["rewritten"]:
            fault = _check_again(chain, done, feeds[-1], tally)
        if fault is not None:
            return f"fastest, {sorted(clock.picked)}: {fault}"
    return None


def _clocks(rng: Rng) -> Iterator[Turn]:
    if rng.random() < 0.8:
        yield Whim(rng)
        return
    turn = 0
    while True:
        yield (clock := Turn(turn))
        turn += 1
        if turn >= clock.count:
            return


def _check_goal(
    chain: Chain,
    model: onnx.ModelProto,
    goal: str,
    done: Rewritten,
    feeds: list[dict[str, Array]],
    wanted: list[Array],
    allowed: float,
    tally: Counter[str],
) -> str | None:
    for site in done.report["sites"]:
        tally[f"{goal}, sites refused"] += site["refused"] is not None
        if any(word in str(site["refused"]) for word in ("differs", "read back", "shape is", "read like itself")):
            return f"the proof found a mistake of ours: {site['refused']}"
    tally[f"{goal}, sites rewritten"] += done.report["rewritten"]
    if not done.report["rewritten"]:
        return None if done.model == model else "nothing was rewritten and yet the model is another"
    borders = any(site["smallest"] for site in done.report["sites"])
    after = Session(done.model)
    for given, y in zip(feeds, wanted, strict=True):
        z = after(given)
        if z is None and borders and given is feeds[-1]:  # strides before the site may leave it too little of it
            tally[f"{goal}, twice as long"] += 1
            twice = _twice_as_long(chain, given)
            again = None if twice is None else Session(model)(twice)
            if twice is not None and again is not None:
                given, y, z = twice, again, after(twice)
        if z is None:
            if not borders or given["x"].shape[2] >= feeds[-1]["x"].shape[2]:
                return f"does not run at {given['x'].shape}: {after.failure}"
            tally[f"{goal}, too short for border cells"] += 1
            continue
        tally[f"{goal}, compared"] += 1
        # the loops' numbers are the original's: `_check`. Only the last layer's rounding may differ
        fault = _differs(z.astype(np.float64), y.astype(np.float64), 4 * allowed)
        if fault is not None:
            return f"at {given['x'].shape}: {fault}"
    return None


def _check_again(chain: Chain, done: Rewritten, long: dict[str, Array], tally: Counter[str]) -> str | None:
    """A second run with `fastest` and a clock that is content."""
    if Session(done.model)(long) is None:  # the clock liked a form whose border cells need more; a real one had not
        longer = _twice_as_long(chain, long)
        if longer is None or Session(done.model)(longer) is None:
            return None
        long = longer
    tally["fastest, twice"] += 1
    inputs = {name: list(value.shape) for name, value in long.items()}
    again = rewrite(done.model, "fastest", clock=Content(), growth=None, inputs=inputs)
    same = not again.report["rewritten"] and again.model == done.model
    return None if same else "rewriting twice changes something the second time"


def _twice_as_long(chain: Chain, given: dict[str, Array]) -> dict[str, Array] | None:
    return replace(chain, rng=np.random.default_rng(0)).feeds([2 * L for L in given["x"].shape[2:]])


def _differs(z: Array, y: Array, allowed: float) -> str | None:
    if z.shape != y.shape:
        return f"shape {z.shape} instead of {y.shape}"
    wrong = ~(np.abs(z - y) <= allowed)  # NaN included
    return f"{int(wrong.sum())} of {wrong.size} numbers differ" if wrong.any() else None


class Session:
    """A model in onnxruntime as it is written. None where it does not run; `failure` says why."""

    def __init__(self, model: onnx.ModelProto) -> None:
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        self.failure = ""
        self._session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    def __call__(self, feeds: dict[str, Array]) -> Array | None:
        try:
            return np.asarray(self._session.run(None, feeds)[0])
        except Exception as error:  # onnxruntime's exceptions share no class but Exception
            self.failure = " ".join(str(error).split())[:200]
            return None
