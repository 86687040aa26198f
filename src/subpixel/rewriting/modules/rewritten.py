"""The module with another forward: a subclass of its own class, everything but `forward` as it was.

Parameters, buffers, children, attributes and methods stay what they are, so the state dict has the same keys, and
`isinstance`, indexing into a Sequential or a method of the class go on working. The subclass is made from source
text; that text is what pickling keeps.
"""

from __future__ import annotations

import inspect
import linecache
from dataclasses import dataclass
from importlib import import_module
from itertools import count
from types import ModuleType
from typing import Any, cast

from torch import fx, nn

from subpixel.rewriting.modules.guard import Guard
from subpixel.rewriting.modules.site import RunSite, asks_for, cut_to

PREFIX = "_subpixel_"
_numbers = count()


@dataclass(frozen=True)
class Recipe:
    """Source of the class's functions, and the names that they read: imported modules by name, others as they are."""

    source: str
    modules: dict[str, str]
    names: dict[str, Any]


class Rewritten:
    """What all rewritten modules are, beside their own class."""

    def __reduce__(self) -> tuple[Any, ...]:
        kind = type(self)
        return _rebuild, (kind.__mro__[2], self.__dict__[PREFIX + "recipe"]), self.__dict__

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        module: Any = super()
        module._apply(fn, recurse)
        if any(isinstance(site, RunSite) and site.baked is not None for site in self.__dict__.values()):
            from subpixel.rewriting.modules.freezing import bake

            bake(cast(nn.Module, self))
        return self


def install(module: nn.Module, recipe: Recipe, sites: dict[str, RunSite], guard: Guard) -> None:
    """Give the module the recipe's forward, the sites that it calls, and what it asks first."""
    module.__dict__[PREFIX + "recipe"] = recipe
    module.__dict__[PREFIX + "guard"] = guard
    module.__dict__.update(sites)
    module.__class__ = _class(type(module), recipe)


def restore(module: nn.Module) -> None:
    """Take every rewritten forward in `module` away again."""
    for inner in module.modules():
        if isinstance(inner, Rewritten):
            inner.__class__ = type(inner).__mro__[2]
            for name in [name for name in inner.__dict__ if name.startswith(PREFIX)]:
                del inner.__dict__[name]


def sites_of(module: nn.Module) -> list[tuple[nn.Module, RunSite]]:
    """Every rewritten site and the module that calls it."""
    return [
        (inner, site)
        for inner in module.modules()
        if isinstance(inner, Rewritten)
        for site in inner.__dict__.values()
        if isinstance(site, RunSite)
    ]


def _rebuild(base: type[nn.Module], recipe: Recipe) -> nn.Module:
    kind = _class(base, recipe)
    return kind.__new__(kind)


def _class(base: type[nn.Module], recipe: Recipe) -> type[nn.Module]:
    scope: dict[str, Any] = {name: import_module(path) for name, path in recipe.modules.items()}
    scope |= {**recipe.names, "asks_for": asks_for, "cut_to": cut_to, "__name__": __name__}
    file = f"<subpixel rewrite of {base.__name__}, {next(_numbers)}>"
    linecache.cache[file] = (len(recipe.source), None, recipe.source.splitlines(True), file)
    exec(compile(recipe.source, file, "exec"), scope)
    functions = {name: scope[name] for name in scope["FUNCTIONS"]}
    named = {"__module__": base.__module__, "__doc__": base.__doc__, "rewritten_from": base}
    return type(base.__name__, (Rewritten, base), {**functions, **named})


# --- source --------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class Source:
    """Collects the functions of a class."""

    text: str
    modules: dict[str, str]
    names: dict[str, Any]
    functions: list[str]

    def add_graph(self, name: str, graph: fx.Graph) -> None:
        """A graph as a method."""
        for node in graph.nodes:
            node.type = None  # annotations would name classes that need not be importable
        code = graph.python_code("self")
        self.text += code.src.replace("def forward(", f"def {name}(", 1).lstrip() + "\n"
        for key, value in code.globals.items():
            if isinstance(value, ModuleType):
                self.modules[key] = value.__name__
            else:
                self.names[key] = value
        self.functions.append(name)

    def add(self, name: str, text: str) -> None:
        """A method as text."""
        self.text += text + "\n"
        self.functions.append(name)

    def recipe(self) -> Recipe:
        """What was collected."""
        return Recipe(f"{self.text}FUNCTIONS = {self.functions!r}\n", self.modules, self.names)


def forward_source(kind: type[nn.Module], graph: fx.Graph, defaults: dict[str, Any]) -> Source:
    """`forward` with the original's signature: the graph where the guard holds and `defaults` are at their default."""
    source = Source("", {}, {}, [])
    source.add_graph(PREFIX + "forward", graph)
    placeholders = [str(node.target) for node in graph.nodes if node.op == "placeholder"]
    listed, passed, star = [], [], False
    for name, parameter in list(inspect.signature(kind.forward).parameters.items())[1:]:
        if parameter.kind is parameter.KEYWORD_ONLY and not star:
            listed.append("*")
            star = True
        if parameter.default is not parameter.empty:
            source.names[f"default_{name}"] = parameter.default
            listed.append(f"{name}=default_{name}")
        else:
            listed.append(name)
        passed.append(f"{name}={name}" if star else name)
    others = [*(f"{name} is not default_{name}" for name in defaults), f"not self.{PREFIX}guard.holds(self)"]
    source.add(
        "forward",
        f"def forward(self, {', '.join(listed)}):\n"
        f"    if {' or '.join(others)}:  # not what was rewritten\n"
        f"        return self.rewritten_from.forward(self, {', '.join(passed)})\n"
        f"    return self.{PREFIX}forward({', '.join(placeholders)})\n",
    )
    return source
