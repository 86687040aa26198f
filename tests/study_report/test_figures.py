"""The note's figures: their numbers are the algebra's, their texts say the same, docs/ has them as drawn."""

from __future__ import annotations

import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from subpixel.algebra import same
from subpixel.study.report.figures import example, networks
from subpixel.study.report.figures.note import figures

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("strided", "transposed", "subpixel", "shuffled", "split", "shuffle", "networks")
SVG = "{http://www.w3.org/2000/svg}"


def drawing(name):
    return next(figure for figure in figures() if figure.name == name)


def texts(name):
    root = ElementTree.fromstring(drawing(name).markup(standalone=True))
    return [element.text for element in root.iter(f"{SVG}text")]


def test_names_and_order():
    assert tuple(figure.name for figure in figures()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_each_is_svg_with_a_text_that_says_the_same(name):
    for standalone in (True, False):
        root = ElementTree.fromstring(drawing(name).markup(standalone))
        assert root.get("role") == "img"
        named = {element.get("id"): element.text for element in root if element.tag in (f"{SVG}title", f"{SVG}desc")}
        assert list(named) == root.get("aria-labelledby").split()
        assert all(len(text) > 20 for text in named.values())


@pytest.mark.parametrize("name", NAMES)
def test_docs_has_them_as_they_are_drawn_today(name):
    """Renewed by `scripts/docs`, or `python -m subpixel.study.report.figures docs/images/note`."""
    stored = (ROOT / "docs" / "images" / "note" / f"{name}.svg").read_text(encoding="utf-8")
    assert stored == drawing(name).markup(standalone=True) + "\n"


def test_the_command_writes_them(tmp_path):
    command = [sys.executable, "-m", "subpixel.study.report.figures", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True)
    assert {path.name for path in tmp_path.iterdir()} == {f"{name}.svg" for name in NAMES}


def test_numbers_drawn_are_those_of_plain_loops():
    """The example once more, by hand, without the algebra."""
    f = np.array(example.FILTER)
    x = np.pad(example.LONG, 2)
    strided = [int(f @ x[2 * n : 2 * n + 4]) for n in range(5)]
    full = np.zeros(12, int)
    for i, value in enumerate(example.SHORT):
        full[2 * i : 2 * i + 4] += value * f
    y = full[2:-2].tolist()
    for name, rows in {
        "strided": (x.tolist(), strided),
        "transposed": (example.SHORT, full.tolist()),
        "subpixel": (y,),
        "shuffled": (example.SHORT, y[::2], y[1::2], y),
    }.items():
        for row in rows:
            assert _in_a_row(texts(name), list(map(str, row))), (name, row)


def _in_a_row(found, numbers):
    return any(found[i : i + len(numbers)] == numbers for i in range(len(found)))


def test_lines_are_the_products():
    """One line for each product that is drawn, in the colour of its weight."""
    assert _lines("strided") == 5 * 4
    assert _lines("transposed") == 5 * 4
    assert _lines("subpixel") == len(example.terms(example.transposed(), 5)) + sum(
        1 for j in range(8) for k in range(4) if (j + k - 1) % 2 or not 0 <= j + k - 1 < 9
    )


def _lines(name):
    return len(re.findall(r'<path class="s\d( faint)?"', drawing(name).markup()))


def test_every_weight_of_the_split_is_drawn_twice_in_one_colour():
    root = ElementTree.fromstring(drawing("split").markup())
    shapes = list(root)
    colours = {}
    for cell, label in pairwise(shapes):
        if cell.tag == f"{SVG}rect" and label.tag == f"{SVG}text":
            colours.setdefault(label.text, []).append(cell.get("class"))
    assert sorted(map(int, colours)) == list(range(1, 17))
    assert all(len(pair) == 2 and pair[0] == pair[1] for pair in colours.values())


def test_the_counting_is_what_the_formulas_say():
    """FIELD: n maps at HR; rn and r²n at LR. Parameters and activations as counted by `cost`."""
    n, r, k, (h, w) = networks.MAPS, networks.SCALE, networks.KERNEL, networks.SIZE
    high, equal, whole = networks.layers()
    macs = n**2 * k**2 * r**2 * h * w
    assert (high.cost.macs, equal.cost.macs, whole.cost.macs) == (macs, macs, r**2 * macs)
    weights = n**2 * k**2
    assert [layer.cost.parameters for layer in (high, equal, whole)] == [weights, r**2 * weights, r**4 * weights]
    assert [layer.cost.activations for layer in (high, equal, whole)] == [
        n * r * r * h * w,
        n * r * h * w,
        n * r * r * h * w,
    ]
    assert [layer.field for layer in (high, equal, whole)] == [k, r * k, r * k]


def test_the_networks_drawn_cost_the_same():
    """By the maps and the words that the figure shows, and its text says the numbers: each convolution counted once,
    at the resolution that its sheets are drawn in."""
    r, k, (h, w) = networks.SCALE, networks.KERNEL, networks.SIZE
    root = ElementTree.fromstring(drawing("networks").markup(standalone=True))
    said = [(float(one.get("x")), float(one.get("y")), one.text) for one in root.iter(f"{SVG}text")]
    macs, weights = [], []
    for left, right in ((0, 170), (170, 340)):
        column = [text for x, y, text in sorted(said, key=lambda one: one[1]) if left <= x < right]
        side, count, at_hr, step = [], 1, False, "enlarge"
        for text in column[1:]:
            found = re.match(r"(\d+) maps?$", text)
            if found:
                maps = int(found[1])
                if step == "convolve":
                    side.append((count, maps, r * r if at_hr else 1))
                elif step == "enlarge":
                    assert maps == count
                else:
                    assert maps * r * r == count
                count = maps
            step = text
            at_hr |= text == "enlarge"
        assert len(side) == 3
        macs.append(sum(a * b * k * k * area * h * w for a, b, area in side))
        weights.append(sum(a * b * k * k for a, b, _ in side))
    assert macs[0] == macs[1]
    text = " ".join(one.text for one in root.iter(f"{SVG}desc"))
    assert f"{macs[0]:,} multiplications" in text
    assert f"{weights[1]:,} weights against {weights[0]:,}" in text


def test_networks_of_unequal_cost_are_not_drawn(monkeypatch):
    monkeypatch.setattr(networks, "LOW", (1, 8, 8, 4))
    with pytest.raises(AssertionError, match="multiplications"):
        networks.networks()


def test_a_filter_that_is_not_reversed_is_noticed(monkeypatch):
    """The drawing refuses to show an equality that does not hold."""
    from subpixel.study.report.figures import convolutions

    monkeypatch.setattr(convolutions, "same", lambda a, b: not same(a, b))
    with pytest.raises(AssertionError, match="reversed"):
        convolutions.subpixel()
