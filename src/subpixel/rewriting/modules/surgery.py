"""Rewritten sites put into a region's graph, and the functions that the new class is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import fx, nn

from subpixel.rewriting.modules.commuting import Swap
from subpixel.rewriting.modules.guard import guard_of
from subpixel.rewriting.modules.planning import PlannedSite
from subpixel.rewriting.modules.rewritten import PREFIX, Source, forward_source, install
from subpixel.rewriting.modules.site import RunSite
from subpixel.rewriting.modules.tracing import Region
from subpixel.rewriting.modules.view import Call, call_of


@dataclass(frozen=True, eq=False)
class Change:
    """A planned site and how it is to run."""

    planned: PlannedSite
    run: RunSite


def apply_changes(region: Region, changes: list[Change | Swap]) -> None:
    """Give the region's module the changed forward. The graph is used up."""
    graph, sites = region.graph, {}
    guard = guard_of(region.module, region.inlined, region.layers, _replaced(changes), region.reads)
    helpers = Source("", {}, {}, [])
    values = {node.name: node for node in graph.nodes}  # by the names that planning knows
    spare: set[fx.Node] = set()
    for number, change in enumerate(changes):
        if isinstance(change, Swap):
            change.apply(graph, values)
            continue
        name = f"{PREFIX}{number}"
        sites[name] = change.run
        spare |= set(_replace(graph, change, name, helpers, values))
    for node in reversed(list(graph.nodes)):  # not before: a later site may read what an earlier one covered
        if node in spare and not node.users:
            graph.erase_node(node)
    source = forward_source(type(region.module), graph, region.defaults)
    source.text += helpers.text
    source.modules |= helpers.modules
    source.names |= helpers.names
    source.functions += helpers.functions
    install(region.module, source.recipe(), sites, guard)


def _replaced(changes: list[Change | Swap]) -> list[nn.Module]:
    """The modules whose calls are changed."""
    calls: list[Call] = []
    for change in changes:
        if isinstance(change, Swap):
            calls += [change.resize, change.conv]
        else:
            calls += map(call_of, change.planned.site.nodes)
    return [call.module for call in calls if call.module is not None]


def _replace(graph: fx.Graph, change: Change, name: str, helpers: Source, values: dict[str, fx.Node]) -> list[fx.Node]:
    """Put the change in. Returns nodes that nobody may need any more, once all changes are made."""
    planned, run = change.planned, change.run
    chosen = [values[call_of(node).output[0]] for node in planned.site.nodes]
    last = values[planned.site.output]
    with graph.inserting_before(last):
        arguments: list[Any] = []
        for argument in planned.arguments:
            arguments.append(graph.get_attr(argument[1:]) if argument.startswith(".") else values[argument])
        guarded = bool(planned.sized) or run.has_border or run.has_computed_weights or _needs_batch(planned)
        target = name
        if guarded or planned.longest is not None:
            target = f"{PREFIX}call_{name.removeprefix(PREFIX)}"
            arguments += _add_call(graph, change, name, target, chosen, helpers, guarded)
        new = graph.call_module(target, tuple(arguments))
    last.replace_all_uses_with(new)
    values[planned.site.output] = new
    return [*chosen, new]


def _needs_batch(planned: PlannedSite) -> bool:
    """Is there an interpolation? It takes the maps of an input without a batch for an axis of space."""
    return any(call_of(node).op_type == "Resize" for node in planned.site.nodes)


def _add_call(
    graph: fx.Graph,
    change: Change,
    name: str,
    target: str,
    chosen: list[fx.Node],
    helpers: Source,
    guarded: bool,
) -> list[Any]:
    """The method that decides between the site and the calls that it replaces. Returns its further arguments."""
    planned = change.planned
    listed = [f"a{i}" for i in range(len(planned.arguments))]
    more: list[Any] = []  # values of the graph, or constants, that decide sizes
    conditions = []
    if _needs_batch(planned):
        conditions.append(f"a{change.run.addends[0].sources[0]}.ndim == {change.run.dim + 2}")
    for read in planned.sized:
        at = planned.arguments.index(read.source)
        conditions.append(f"asks_for(a{at}, s{len(more)}, {read.factor!r})")
        more.append(read.sizes)
    if change.run.has_computed_weights:
        conditions.append(f"self.{name}.takes({', '.join(listed)})")
    if change.run.has_border:
        conditions.append(f"self.{name}.fits({', '.join(listed)})")
    result = f"self.{name}({', '.join(listed)})"
    if planned.longest is not None:
        result = f"cut_to({result}, s{len(more)}, {planned.span!r})"
        more.append(planned.longest.longest)
    text = ""
    if guarded:
        original, given = _original(graph, planned, chosen)
        helpers.add_graph(f"{PREFIX}original_{name.removeprefix(PREFIX)}", original)
        passed = [f"s{len(more) + i}" for i in range(len(given))]
        text = (
            f"    if {' and '.join(conditions)}:\n        return {result}\n"
            f"    return self.{PREFIX}original_{name.removeprefix(PREFIX)}({', '.join(passed)})\n"
        )
        more += given
    else:
        text = f"    return {result}\n"
    signature = ", ".join(["self", *listed, *(f"s{i}" for i in range(len(more)))])
    helpers.add(target, f"def {target}({signature}):\n{text}")
    return more


def _original(graph: fx.Graph, planned: PlannedSite, chosen: list[fx.Node]) -> tuple[fx.Graph, list[fx.Node]]:
    """The calls of a site as a graph of their own, and the values that it is to be given."""
    inside = set(chosen)
    new = fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    given: list[fx.Node] = []
    ordered = [node for node in graph.nodes if node in inside]
    for node in ordered:
        for value in node.all_input_nodes:
            if value in inside or value in copies:
                continue
            if value.op != "get_attr":
                given.append(value)
                copies[value] = new.placeholder(value.name)
    for node in ordered:
        for value in node.all_input_nodes:
            if value.op == "get_attr" and value not in copies:
                copies[value] = new.get_attr(str(value.target))
        copies[node] = new.node_copy(node, lambda n: copies[n])
    new.output(copies[ordered[-1]])
    return new, given
