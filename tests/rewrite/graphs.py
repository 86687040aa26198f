"""Small graphs to rewrite, and what must hold of the result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from subpixel.rewriting import Rewritten, rewrite
from subpixel.rewriting.proof.running import Runner

rng = np.random.default_rng(7)


def whole(*shape: int) -> np.ndarray:
    """Small integers, none of them zero: a dropped or moved tap shows."""
    return (rng.integers(1, 4, shape) * rng.choice([-1, 1], shape)).astype(np.float32)


def node(op: str, inputs: str, output: str, **attributes: Any) -> NodeProto:
    """A node; inputs are separated by spaces, `-` is one left out."""
    names = ["" if name == "-" else name for name in inputs.split()]
    return helper.make_node(op, names, [output], name=f"the_{output}", **attributes)


def graph(
    nodes: list[NodeProto],
    inputs: Mapping[str, Sequence[int | str]],
    outputs: dict[str, int] | str,
    opset: int = 17,
    dtype: int = TensorProto.FLOAT,
    ir_version: int = 8,
    domain: str = "",
    **weights: Any,
) -> onnx.ModelProto:
    """A checked model. Outputs are given with their number of axes, or alone with the first input's."""
    rank = len(next(iter(inputs.values())))
    outputs = {outputs: rank} if isinstance(outputs, str) else outputs
    made = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info(name, dtype, list(shape)) for name, shape in inputs.items()],
        [
            helper.make_tensor_value_info(name, dtype, [f"{name}{i}" for i in range(axes)])
            for name, axes in outputs.items()
        ],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    imports = [helper.make_opsetid("", opset), *([helper.make_opsetid(domain, 1)] if domain else [])]
    model = helper.make_model(made, opset_imports=imports, ir_version=ir_version)
    onnx.checker.check_model(model)
    return model


def enlarged(
    factor: Sequence[float] = (2, 2),
    maps: tuple[int, int] = (4, 3),
    K: int = 3,
    pads: Sequence[int] | None = None,
    dilation: int = 1,
    opset: int = 17,
    **attributes: Any,
) -> onnx.ModelProto:
    """A Resize and the convolution after it, sizes open; the convolution keeps the size where no `pads` are given."""
    d, (C, O) = len(factor), maps
    return graph(
        [
            node("Resize", "x - s", "u", **attributes),
            node("Conv", "u w b", "y", pads=[K // 2] * 2 * d if pads is None else list(pads), dilations=[dilation] * d),
        ],
        {"x": ["N", C, *"HWD"[:d]]},
        "y",
        opset=opset,
        w=whole(O, C, *[K] * d),
        b=whole(O),
        s=np.array([1, 1, *factor], np.float32),
    )


def counts(model: onnx.ModelProto) -> Counter[str]:
    """How many nodes of each operator."""
    return Counter(n.op_type for n in model.graph.node)


def outputs_of(model: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    """All outputs, run with every optimisation off."""
    runner = Runner(model)
    assert runner._failure is None, runner._failure
    return [np.asarray(y) for y in runner._session.run(None, feeds)]


def feeds_for(model: onnx.ModelProto, size: tuple[int, ...]) -> dict[str, np.ndarray]:
    """Integer-valued inputs; open spatial axes take `size` (times what a symbol like "2H" says)."""
    feeds = {}
    weights = {t.name for t in model.graph.initializer}
    for value in model.graph.input:
        if value.name in weights:
            continue
        shape = []
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            if dim.dim_value:
                shape.append(dim.dim_value)
            elif axis == 0:
                shape.append(2)
            else:
                times = int(dim.dim_param[0]) if dim.dim_param[0].isdigit() else 1
                shape.append(size[axis - 2] * times)
        kind = helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
        feeds[value.name] = np.random.default_rng(3).integers(-4, 5, shape).astype(kind)
    return feeds


def assert_same(
    before: onnx.ModelProto, after: onnx.ModelProto, sizes: list[tuple[int, ...]], exact: bool = True
) -> None:
    """Equal outputs at all sizes; bit for bit, or to 1e-5 of the largest where kernels are no integers."""
    assert [v.name for v in before.graph.output] == [v.name for v in after.graph.output]
    for size in sizes:
        feeds = feeds_for(before, size)
        for a, b in zip(outputs_of(before, feeds), outputs_of(after, feeds), strict=True):
            assert a.shape == b.shape
            assert a.dtype == b.dtype
            assert np.abs(a).max() > 0
            if exact:
                np.testing.assert_array_equal(a, b)
            else:
                assert np.abs(a - b).max() <= 1e-5 * np.abs(a).max()


def rewritten(
    model: onnx.ModelProto,
    goal: str = "lr",
    *,
    count: int = 1,
    law: str | None = None,
    gone: str = "",
    has: str = "",
    sizes: list[tuple[int, ...]] | None = None,
    exact: bool = True,
    **options: Any,
) -> Rewritten:
    """Rewrite and demand: so many sites, equal results, the input untouched, nothing more to do the second time."""
    content = model.SerializeToString()
    result = rewrite(model, goal, **options)
    assert model.SerializeToString() == content
    assert result.report["rewritten"] == count, result.report["sites"]
    onnx.checker.check_model(result.model, full_check=True)
    left = counts(result.model)
    assert not [op for op in gone.split() if left[op]], left
    assert not [op for op in has.split() if not left[op]], left
    if law is not None:
        assert law in [site["law"] for site in result.report["sites"] if site["refused"] is None]
    dims = len(model.graph.input[0].type.tensor_type.shape.dim) - 2
    sizes = sizes or [(5, 7, 6)[:dims], (6, 9, 5)[:dims], (8, 5, 7)[:dims]]
    assert_same(model, result.model, sizes, exact)
    again = rewrite(result.model, goal, **options)
    assert again.report["rewritten"] == 0, again.report["sites"]
    assert again.model.SerializeToString() == result.model.SerializeToString()
    return result
