"""The generator of chains reaches what it claims, finds the rewriter right, and finds planted faults in it."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from exactness import chains
from exactness.chains import KINDS, Chain, check_chain, draw_chain
from subpixel.rewriting import Rewritten


@pytest.mark.parametrize("block", range(4))
def test_chains(block: int) -> None:
    """A share of the 5,000 that scripts/check-exact runs; the draws are its own."""
    tally: Counter[str] = Counter()
    for number in range(12 * block, 12 * (block + 1)):
        fault = check_chain(np.random.default_rng([0, number]), tally)
        assert fault is None, f"chains {number}: {fault}"
    assert tally["lr, sites rewritten"] >= 6, tally
    assert tally["lr, compared"] >= 10, tally
    assert tally["fastest, compared"] >= 12, tally
    assert tally["fastest, twice"] >= 4, tally


@pytest.fixture(scope="module")
def drawn() -> list[Chain]:
    return [draw_chain(np.random.default_rng(seed)) for seed in range(400)]


def test_every_kind_and_dimension_is_met(drawn: list[Chain]) -> None:
    kinds = Counter(kind.removesuffix(" first") for chain in drawn for kind in chain.kinds)
    assert set(kinds) == set(KINDS)
    assert min(kinds.values()) >= 10, kinds
    assert {chain.d for chain in drawn} == {1, 2, 3}
    assert sum(not chain.exact for chain in drawn) >= 20
    assert sum(len(chain.steps) >= 4 for chain in drawn) >= 50
    operators = Counter(node.op_type for chain in drawn for node in chain.nodes)
    assert min(operators[op] for op in ("DepthToSpace", "Transpose", "Pad", "Concat", "Slice", "Relu")) >= 10


def test_every_candidate_gets_its_turn() -> None:
    tally: Counter[str] = Counter()
    for number in range(200, 216):
        assert check_chain(np.random.default_rng([0, number]), tally) is None
    met = {name for name in tally if name.startswith("candidate: ")}
    for form in ("convolution + shuffle", "transposed convolution", "one convolution per phase", "border cells"):
        assert any(form in name for name in met), met


def _last_weight(model: object, change: str) -> bool:
    from onnx import ModelProto, numpy_helper

    assert isinstance(model, ModelProto)
    for tensor in model.graph.initializer:
        value = numpy_helper.to_array(tensor)
        if value.dtype.kind == "f" and value.ndim > 2 and value.any():
            other = np.array(value)
            if change == "one weight":
                other.reshape(-1)[np.flatnonzero(other)[0]] += 1
            else:
                other = np.roll(other, 1, axis=0)
            if not np.array_equal(other, value):
                tensor.CopyFrom(numpy_helper.from_array(other, tensor.name))
                return True
    return False


@pytest.mark.parametrize("change", ["one weight", "maps in another order"])
def test_planted_faults_are_found(monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    """A rewriter whose proof lets a mistake through would be found out here."""
    right, planted = chains.rewrite, []

    def wrong(model: object, *arguments: object, **options: object) -> Rewritten:
        done = right(model, *arguments, **options)
        planted[:] = [done.report["rewritten"] > 0 and _last_weight(done.model, change)]
        return done

    monkeypatch.setattr(chains, "rewrite", wrong)
    met = found = 0
    for number in range(12):
        monkeypatch.setattr(chains, "rewrite", wrong)
        fault = check_chain(np.random.default_rng([0, number]))
        if any(planted) or fault is not None:
            met += 1
            found += fault is not None
    assert met >= 6
    assert found == met
