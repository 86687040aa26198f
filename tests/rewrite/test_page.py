"""The report as a page: it fetches nothing, says in words what it draws, and takes any name for a name."""

from __future__ import annotations

import math
from html.parser import HTMLParser
from typing import Any

import numpy as np
import onnx

from rewrite.graphs import graph, node, whole
from subpixel.rewriting import page, rewrite

_VOID = {"meta", "rect", "path", "br"}


class Page(HTMLParser):
    """Every element in order, and whether they nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def model(name: str = "up") -> onnx.ModelProto:
    made = graph(
        [
            node("ConvTranspose", "x w b", "p", strides=[2, 2], pads=[1] * 4),
            node("Relu", "p", "r"),
            node("Resize", "r - s", "u", mode="linear"),
            node("Conv", "u v", "c", pads=[1] * 4),
            node("Resize", "c - s", "y", mode="linear", coordinate_transformation_mode="align_corners"),
        ],
        {"x": ["N", 5, "H", "W"]},
        "y",
        w=whole(5, 3, 4, 4),
        b=whole(3),
        v=whole(2, 3, 3, 3),
        s=np.array([1, 1, 2, 2], np.float32),
    )
    made.graph.node[0].name = name
    return made


def parsed(report: dict[str, Any]) -> Page:
    return Page(page(report))


def test_everything_is_there_and_nothing_is_fetched() -> None:
    report = rewrite(model(), "lr", inputs={"x": [1, 5, 12, 9]}).report
    shown = parsed(report)
    text = "".join(shown.text)
    for site in report["sites"]:
        assert site["node"] in text
        assert (site["form"] or site["refused"]) in text
    drawn = [attributes for tag, attributes in shown.elements if tag == "svg"]
    assert len(drawn) == 4  # before and after, two sites
    labels = [attributes["aria-label"] or "" for attributes in drawn]
    assert all(attributes["role"] == "img" for attributes in drawn)
    assert labels[0] == "Before the rewrite: ConvTranspose (4×4, 5→3 maps, stride 2×2)"
    assert labels[1].startswith("After the rewrite: Conv (2×2, 5→12 maps), then DepthToSpace (×2 CRD)")
    assert "× Conv" in labels[3]  # many border cells are one box
    for tag, attributes in shown.elements:
        assert tag not in ("script", "link", "img", "iframe", "object")
        assert not (attributes.get("src") or "").strip()
        assert (attributes.get("href") or "#").startswith("#")
    assert "url(http" not in page(report)
    assert any(tag == "meta" and attributes.get("name") == "viewport" for tag, attributes in shown.elements)


def test_a_diagram_says_what_the_graph_does() -> None:
    """Boxes and arrows of the first site: one per node, an arrow per value read and one out of the end."""
    report = rewrite(model(), "lr").report
    (site,) = [s for s in report["sites"] if s["node"] == "up"]
    assert [n["op"] for n in site["before"]] == ["ConvTranspose"]
    assert [n["op"] for n in site["after"]] == ["Conv", "DepthToSpace", "Slice"]
    for before, after in zip(site["after"], site["after"][1:], strict=False):
        assert after["reads"] == [before["writes"]]
    assert site["after"][-1]["writes"] == "p"


def test_names_are_text_whatever_they_hold() -> None:
    evil = "<script>alert(1)</script>\"'&"
    report = {**rewrite(model(evil), "lr").report, "model": evil}
    shown = parsed(report)
    assert "script" not in [tag for tag, _ in shown.elements]
    assert evil in "".join(shown.text)


def test_a_report_without_any_site_and_one_of_a_device() -> None:
    plain = graph([node("Conv", "x w", "y")], {"x": [1, 5, 6, 7]}, "y", opset=13, w=whole(3, 5, 3, 3))
    assert "0 of 0" in "".join(parsed(rewrite(plain, "lr").report).text)
    report = rewrite(model(), profile="esp-dl").report
    assert report["unmet"]
    shown = parsed(report)
    assert "What the device still does not take" in shown.text
    assert report["source"] in [attributes.get("href") for tag, attributes in shown.elements if tag == "a"]


def test_what_computes_sizes_is_not_drawn() -> None:
    """A rectangular shuffle with open sizes reshapes to computed shapes; the diagram shows the data's way alone."""
    up = graph(
        [node("ConvTranspose", "x w b", "y", strides=[2, 3])],
        {"x": ["N", 5, "H", "W"]},
        "y",
        w=whole(5, 3, 2, 3),
        b=whole(3),
    )
    result = rewrite(up, "lr")
    (site,) = result.report["sites"]
    assert "Shape" in {n.op_type for n in result.model.graph.node}
    assert [n["op"] for n in site["after"]] == ["Conv", "Reshape", "Transpose", "Reshape"]


def test_nodes_of_our_own_are_no_sites() -> None:
    """What a second pass does to them continues the entry of the first; what it leaves is not listed."""
    model = graph(
        [
            node("Resize", "x - s", "u", mode="nearest"),
            node("Concat", "u u k", "c", axis=1),
            node("Conv", "c w b", "y", pads=[1] * 4),
        ],
        {"x": ["N", 2, "H", "W"], "k": ["N", 1, "2H", "2W"]},
        "y",
        w=whole(3, 5, 3, 3),
        b=whole(3),
        s=np.array([1, 1, 2, 2], np.float32),
    )
    result = rewrite(model, "lr", inputs={"x": [1, 2, 5, 6], "k": [1, 1, 10, 12]})
    (site,) = result.report["sites"]
    assert (site["node"], site["op"], result.report["rewritten"]) == ("the_u", "Resize", 1)
    assert site["form"].count("; then ") == 1
    stored = sum(math.prod(t.dims) for t in result.model.graph.initializer if t.data_type == onnx.TensorProto.FLOAT)
    assert (site["weights_before"], site["weights_after"]) == (3 * 5 * 9 + 3 + 4, stored)
    assert [item["op"] for item in site["before"]] == ["Resize", "Concat", "Conv"]
    assert {item["writes"] for item in site["after"]} <= {name for n in result.model.graph.node for name in n.output}
    foreign = graph(
        [node("Relu", "x", "q"), node("ConvTranspose", "q w", "y", strides=[2, 2])],
        {"x": [1, 4, 5, 5]},
        "y",
        w=whole(4, 3, 2, 2),
    )
    foreign.graph.node[0].op_type, foreign.graph.node[0].domain = "Foo", "my.dom"
    foreign.opset_import.append(onnx.helper.make_opsetid("my.dom", 1))
    assert [site["node"] for site in rewrite(foreign, "lr").report["sites"]] == ["the_y"]
