"""Is a file a sound model: shapes that its operators cannot have, and functions of its own written out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import onnx
import onnx.inliner
import onnx.shape_inference
from onnx import ModelProto, ValueInfoProto, helper

from subpixel.errors import InputError
from subpixel.rewriting.graph.edit import check
from subpixel.rewriting.graph.inference import infer, types_of

_ERROR = re.compile(r"\(op_type:(?P<op>\w+)(?:, node name: (?P<node>.*?))?\): (?P<what>.*?)(?= \(op_type:|$)")
_JUDGED = ("Conv", "ConvTranspose", "DepthToSpace", "SpaceToDepth")  # of others onnx refuses what runtimes run


def refuse_faulty(model: ModelProto, name: str, inputs: dict[str, Sequence[int]] | None) -> None:
    """What the ONNX checker or a runtime would have against the model, before anything is made of it.

    Inputs and outputs without any shape get one in place.

    Raises:
        InputError: no valid ONNX, or no sound one; or nothing says how many axes an input or output has.
    """
    state_ranks(model, name, inputs)
    fault = check(model)
    if fault:
        raise InputError(f"{name} is not valid ONNX: {fault}")
    refuse_unsound(model, name)


def refuse_unsound(model: ModelProto, name: str) -> None:
    """Operators whose attributes and inputs do not fit each other have no result to keep.

    Raises:
        InputError: a stride of 0, groups that do not divide the maps, a weight for other maps, and the like.
    """
    bare = infer(model)
    try:
        onnx.shape_inference.infer_shapes(bare, strict_mode=True)
    except onnx.shape_inference.InferenceError as error:
        text = " ".join(str(error).replace("[ShapeInferenceError]", "").split())
        first = _ERROR.search(text)
        if first is not None and first["op"] in _JUDGED:
            where = f"{first['op']} {first['node'] or ''}".strip()
            raise InputError(f"{name} is not valid ONNX: {where}: {first['what'].strip()[:200]}") from error
    except Exception:  # too large for inference, or an operator that it does not know: nothing is known against it
        return
    types = types_of(bare.graph)
    for node in bare.graph.node:
        if node.op_type not in ("Conv", "ConvTranspose") or node.domain not in ("", "ai.onnx") or len(node.input) < 2:
            continue
        x, w = (types.get(value, (0, None))[1] for value in node.input[:2])
        if x is None or w is None or len(x) < 2 or len(w) < 2:
            continue
        groups = next((helper.get_attribute_value(a) for a in node.attribute if a.name == "group"), 1)
        maps = w[0] if node.op_type == "ConvTranspose" else w[1]
        if isinstance(maps, int) and node.op_type == "Conv":
            maps *= groups
        if isinstance(maps, int) and isinstance(x[1], int) and maps != x[1]:
            where = f"{node.op_type} {node.name or node.output[0]}"
            raise InputError(f"{name} is not valid ONNX: {where} has a weight for {maps} maps and an input of {x[1]}")


def state_ranks(model: ModelProto, name: str, inputs: dict[str, Sequence[int]] | None) -> None:
    """Inputs and outputs without any shape get one, sizes open: ONNX asks for it, runtimes do not.

    Raises:
        InputError: nothing says how many axes one of them has.
    """

    def shapeless(values: Iterable[ValueInfoProto]) -> list[ValueInfoProto]:
        tensors = (v for v in values if v.type.HasField("tensor_type") and v.type.tensor_type.elem_type)
        return [v for v in tensors if not v.type.tensor_type.HasField("shape")]

    for value in shapeless(model.graph.input):
        if value.name not in (inputs or {}):
            ask = f"give its whole shape, for example --input {value.name}=1x3x224x224"
            raise InputError(f"input {value.name!r} of {name} has no stated shape: {ask}")
        for _ in (inputs or {})[value.name]:
            value.type.tensor_type.shape.dim.add()
    unknown = shapeless(model.graph.output)
    if unknown:
        types = types_of(infer(model).graph)
        for value in unknown:
            dims = types.get(value.name, (0, None))[1]
            if dims is None:
                what = f"output {value.name!r} of {name} has no stated shape"
                raise InputError(f"{what}, and none follows from the nodes: export the model with it")
            for _ in dims:
                value.type.tensor_type.shape.dim.add()


def inlined(model: ModelProto) -> ModelProto:
    """The model with its own functions written out where they are called; the model itself where it has none.

    Raises:
        InputError: a function that cannot be written out.
    """
    if not model.functions:
        return model
    try:
        return onnx.inliner.inline_local_functions(model)
    except Exception as error:  # onnx raises whatever its C++ does
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"the model's own functions cannot be written out: {reason}") from error
