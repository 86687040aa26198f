"""Multiplications of a site before and after, padding counted: what the report compares."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import onnx
from onnx import ModelProto

from subpixel.algebra import Layer, layers
from subpixel.rewriting.graph.inference import infer, types_of
from subpixel.rewriting.graph.view import Types
from subpixel.rewriting.reading.sites import Site
from subpixel.rewriting.writing.forms import Form
from subpixel.rewriting.writing.plans import made

Shapes = dict[str, tuple[int, ...]]
"""Whole shapes by value name, as far as they are known."""


def with_shapes(model: ModelProto, inputs: dict[str, Sequence[int]] | None) -> ModelProto:
    """A copy of the model that states the sizes of its inputs, and of its outputs where they follow."""
    copy = ModelProto()
    copy.CopyFrom(model)
    for value in copy.graph.input:
        given = (inputs or {}).get(value.name)
        dims = value.type.tensor_type.shape.dim
        if given is not None and len(given) == len(dims):
            for dim, n in zip(dims, given, strict=True):
                dim.CopyFrom(onnx.TensorShapeProto.Dimension(dim_value=int(n)))
    if inputs:  # symbols in the outputs and in between would contradict what is given
        del copy.graph.value_info[:]
        for value in copy.graph.output:
            for dim in value.type.tensor_type.shape.dim:
                dim.Clear()
        for value, inferred in zip(copy.graph.output, infer(copy).graph.output, strict=True):
            value.CopyFrom(inferred)
    return copy


def shapes_of(model: ModelProto, inputs: dict[str, Sequence[int]] | None) -> Shapes:
    """Shapes that follow from the model, and from `inputs` where it leaves sizes open."""
    copy = with_shapes(model, inputs)
    types: Types = types_of(infer(copy).graph)
    found: Shapes = {}
    for name, (_, known) in types.items():
        if known is not None and all(isinstance(n, int) or i == 0 for i, n in enumerate(known)):
            found[name] = tuple(n if isinstance(n, int) else 1 for n in known)
    return found


def before(site: Site, shapes: Shapes) -> int | None:
    """Multiplications of the site's terms as they are; None where a size is not known."""
    total = 0
    for term in site.terms:
        shape = shapes.get(term.sources[0])
        if shape is None:
            return None
        total += shape[0] * chain(term.layers, shape[2:])
    return total


def after(site: Site, picked: list[Form], shapes: Shapes) -> int | None:
    """Multiplications of the forms picked: their weights at every site of the low-resolution lattice."""
    total, forms = 0, iter(picked)
    for term in site.terms:
        shape = shapes.get(term.sources[0])
        if shape is None:
            return None
        size = shape[2:]
        if term.keep:
            total += shape[0] * chain(term.layers, size)
            continue
        form = next(forms)
        sites = size  # a transposed convolution, and a 1×1 convolution, multiply at every input sample
        if form.plan is None or form.plan.spelling not in ("transposed", "overlap-add", "convolve first"):
            crop = form.plan.crop if form.plan is not None else (0,) * len(size)
            out = form.layer.output_size(size)
            sites = tuple(-(-(n + c) // U) for n, c, U in zip(out, crop, form.layer.up, strict=True))
        total += shape[0] * form.macs * prod(sites)
    return total


def chain(steps: Sequence[Layer], size: tuple[int, ...]) -> int:
    """Multiplications of layers run one after the other on one sample of a batch."""
    total = 0
    for layer in steps:
        out = tuple(made((layer,), axis, n) for axis, n in enumerate(size))
        match layer:
            case layers.Convolution():
                total += prod(layer.weight.shape) * prod(out)
            case layers.TransposedConvolution():
                total += prod(layer.weight.shape) * prod(size)
            case layers.Resize() if layer.mode != "nearest":
                taps = {"linear": 2, "cubic": 4}[layer.mode]
                total += layer.maps * prod(out) * taps ** sum(s > 1 for s in layer.factor)
            case layers.AveragePool():
                total += layer.maps * prod(layer.kernel_size) * prod(out)
            case layers.Affine():
                total += layer.scale.shape[0] * prod(out)
        size = out
    return total
