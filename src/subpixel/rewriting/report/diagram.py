"""Diagrams: nodes of a site as boxes with arrows, drawn as SVG with a text that says the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

_WIDTH, _HEIGHT, _GAP, _DOWN = 190, 44, 16, 30
_MANY = 9
"""Nodes from which on equal ones in a row become one box."""


@dataclass
class _Box:
    op: str
    text: str
    rank: int
    names: list[str]
    count: int = 1
    reads: set[str] = field(default_factory=set)
    shape: list[int] | None = None
    x: float = 0.0

    @property
    def title(self) -> str:
        return self.op if self.count == 1 else f"{self.count} × {self.op}"


def words(nodes: Sequence[dict[str, Any]]) -> str:
    """The diagram in words, from top to bottom."""
    rows = _rows(_boxes(nodes))
    said = []
    for row in rows:
        said.append(" and ".join(f"{box.title} ({box.text})" if box.text else box.title for box in row))
    return ", then ".join(said)


def svg(nodes: Sequence[dict[str, Any]], label: str) -> str:
    """The nodes from top to bottom; `label` and `words` are what a screen reader says."""
    boxes = _boxes(nodes)
    rows = _rows(boxes)
    inner = {node["writes"] for node in nodes}
    sources = list(
        dict.fromkeys(name for row in rows for box in row for name in sorted(box.reads) if name not in inner)
    )
    widest = max([len(row) for row in rows] + [len(sources)], default=1)
    width = widest * (_WIDTH + _GAP) - _GAP
    top = 34
    _place(rows, width)
    y_of = {rank: top + 18 + rank * (_HEIGHT + _DOWN) for rank in range(len(rows))}
    height = top + 18 + len(rows) * (_HEIGHT + _DOWN) + 18
    starts = {name: (i + 0.5) * width / len(sources) for i, name in enumerate(sources)}
    by_name = {name: box for box in boxes for name in box.names}
    read = {name for box in boxes for name in box.reads}
    parts: list[str] = []
    for name, x in starts.items():
        parts.append(f'<text class="value" x="{x:.0f}" y="20">{escape(_short(name))}</text>')
    lines = set()
    for box in boxes:
        for name in box.reads:
            origin = by_name.get(name)
            start = (starts[name], top - 6) if origin is None else (origin.x, y_of[origin.rank] + _HEIGHT)
            lines.add((*start, box.x, float(y_of[box.rank])))
        if not set(box.names) & read:
            end = y_of[box.rank] + _HEIGHT
            lines.add((box.x, end, box.x, end + _DOWN - 6))
            if box.shape:
                shape = "×".join(map(str, box.shape))
                parts.append(f'<text class="value" x="{box.x:.0f}" y="{end + _DOWN + 10}">{escape(shape)}</text>')
    for x1, y1, x2, y2 in sorted(lines):
        middle = (y1 + y2) / 2
        path = f"M{x1:.0f} {y1:.0f} C{x1:.0f} {middle:.0f} {x2:.0f} {middle:.0f} {x2:.0f} {y2 - 3:.0f}"
        parts.append(f'<path class="arrow" d="{path}" marker-end="url(#tip)"/>')
    for box in boxes:
        x, y = box.x - _WIDTH / 2, y_of[box.rank]
        kind = "box wide" if box.op in ("Conv", "ConvTranspose") else "box"
        parts.append(f'<rect class="{kind}" x="{x:.0f}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="6"/>')
        at = y + (18 if box.text else 27)
        parts.append(f'<text class="op" x="{box.x:.0f}" y="{at}">{escape(box.title)}</text>')
        if box.text:
            parts.append(f'<text class="text" x="{box.x:.0f}" y="{y + 34}">{escape(_short(box.text, 30))}</text>')
    return (
        f'<svg viewBox="0 0 {width} {height:.0f}" role="img" style="max-width:{width}px;min-width:{0.6 * width:.0f}px" '
        f'aria-label="{escape(f"{label}: {words(nodes)}", quote=True)}">'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0 L8 4 L0 8 z"/></marker></defs>{"".join(parts)}</svg>'
    )


def _boxes(nodes: Sequence[dict[str, Any]]) -> list[_Box]:
    rank: dict[str, int] = {}
    for node in nodes:
        rank[node["writes"]] = max((rank[name] + 1 for name in node["reads"] if name in rank), default=0)
    readers: dict[str, list[int]] = {}
    for node in reversed(nodes):  # as low as what reads it allows, so that no arrow passes behind a box
        rank[node["writes"]] = min([at - 1 for at in readers.get(node["writes"], ())], default=rank[node["writes"]])
        for name in node["reads"]:
            readers.setdefault(name, []).append(rank[node["writes"]])
    boxes: list[_Box] = []
    alike: dict[tuple[int, str], _Box] = {}
    for node in nodes:
        at, op = rank[node["writes"]], node["op"]
        same = alike.get((at, op)) if len(nodes) > _MANY else None
        if same is None:
            same = alike[at, op] = _Box(op, node["text"], at, [node["writes"]], reads=set(node["reads"]))
            same.shape = node["shape"]
            boxes.append(same)
            continue
        same.count += 1
        same.names.append(node["writes"])
        same.reads |= set(node["reads"])
        same.text = same.text if same.text == node["text"] else ""
    return boxes


def _rows(boxes: list[_Box]) -> list[list[_Box]]:
    rows: dict[int, list[_Box]] = {}
    for box in boxes:
        rows.setdefault(box.rank, []).append(box)
    return [rows[rank] for rank in sorted(rows)]


def _place(rows: list[list[_Box]], width: int) -> None:
    for row in rows:
        for i, box in enumerate(row):
            box.x = (i + 0.5) * width / len(row)


def _short(name: str, most: int = 26) -> str:
    return name if len(name) <= most else f"{name[: most // 2 - 1]}…{name[-(most // 2) :]}"
