"""docs/architecture.md holds: which folder imports which, what loads without PyTorch, what is public."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

import subpixel

ROOT = Path(subpixel.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))

# What each folder may import of the package, beside itself. Anything may import `errors`; it imports nothing.
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "progress": set(),
    "algebra": set(),
    "nn": {"algebra"},
    "rewriting": {"algebra", "nn", "runtime", "progress"},
    "media": {"progress"},
    "runtime": set(),
    "models": {"algebra", "media"},
    "upscaling": {"models", "runtime", "media", "progress"},
    "evaluate": {"upscaling", "models", "runtime", "media", "progress"},
    "train": {"evaluate", "upscaling", "models", "runtime", "media", "nn", "algebra", "progress"},
    "study": {"algebra", "evaluate", "media", "models", "nn", "progress", "rewriting", "runtime", "train", "upscaling"},
    "bench": {"evaluate", "rewriting", "upscaling", "models", "runtime", "media", "progress"},
    "cli": {
        "algebra",
        "bench",
        "evaluate",
        "media",
        "models",
        "progress",
        "rewriting",
        "runtime",
        "study",
        "train",
        "upscaling",
    },
    "__main__": {"cli"},
    "__init__": {"upscaling", "algebra", "nn", "rewriting", "models", "runtime", "evaluate", "train"},
}

# Inside `rewriting`: which room may use which other. Files beside the rooms are the verbs, and what all rooms share.
ROOMS: dict[str, set[str]] = {
    "refusal": set(),
    "entry": {"refusal"},
    "graph": {"refusal"},
    "reading": {"graph", "refusal"},
    "writing": {"reading", "graph", "refusal"},
    "proof": {"writing", "reading", "graph", "refusal"},
    "moves": {"proof", "writing", "reading", "graph", "refusal"},
    "choice": {"writing", "reading", "graph", "entry", "refusal"},
    "report": set(),
    "devices": {"reading", "graph"},
    "goals": {"devices", "choice", "moves", "proof", "writing", "reading", "graph", "entry", "refusal"},
    "modules": {"goals", "choice", "proof", "writing", "reading", "graph", "entry", "refusal"},
}

# Inside `study`: the page reads result files and asks nobody else there.
STUDY_REPORT_MAY_IMPORT = {"algebra", "media", "errors"}

# Where PyTorch is imported when the module is; everywhere else not even inside a function, but for a few.
WITH_TORCH = (
    "nn/",
    "bench/modules.py",
    "train/",
    "models/module.py",
    "rewriting/modules/",
    "runtime/on_torch.py",
    "study/learning/",
)

# Each is imported by the module that needs it, when it needs it: never on the way to somewhere else.
HEAVY = (
    "torch",
    "av",
    "onnx",
    "onnxruntime",
    "openvino",
    "PIL",
    "pyvips",
    "cv2",
    "safetensors",
    "numpy",
    "tqdm",
    "platformdirs",
    "click",
)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def folder_of(path: Path) -> str:
    first = path.relative_to(ROOT).parts[0]
    return first.removesuffix(".py")


@cache
def imports(path: Path) -> list[tuple[str, str]]:
    """(dotted name, when): when the module is imported, in a "function", or for "types" alone."""
    return list(_imports(ast.parse(path.read_text(encoding="utf-8")), "module"))


def _imports(node: ast.AST, when: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Import):
        yield from ((alias.name, when) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute"
        # `from subpixel.algebra import layers` may name a module or what is in one
        yield from ((f"{node.module}.{alias.name}", when) for alias in node.names)
    elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        for child in node.body:
            yield from _imports(child, "types")
        for child in node.orelse:
            yield from _imports(child, when)
    else:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            when = "function"
        for child in ast.iter_child_nodes(node):
            yield from _imports(child, when)


def uses(path: Path, package: str, *moments: str) -> bool:
    return any(name.split(".")[0] == package and when in moments for name, when in imports(path))


def test_every_folder_has_its_rule() -> None:
    assert {folder_of(path) for path in FILES} <= set(MAY_IMPORT)


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_imports_go_one_way(folder: str) -> None:
    """Inside functions and for types too: a layer below does not know of a layer above."""
    found = set()
    for path in FILES:
        if folder_of(path) == folder:
            for name, _ in imports(path):
                if name.startswith("subpixel.") and not name.startswith("subpixel.__"):
                    found.add((name.split(".")[1], name_of(path)))
    wrong = {pair for pair in found if pair[0] not in MAY_IMPORT[folder] | {folder, "errors"}}
    assert not wrong


def test_the_rules_have_no_circle() -> None:
    """Following the arrows never leads back, so the rules themselves are one way."""

    def below(folder: str, path: tuple[str, ...]) -> None:
        assert folder not in path, " → ".join((*path, folder))
        for other in MAY_IMPORT[folder]:
            below(other, (*path, folder))

    for folder in MAY_IMPORT:
        below(folder, ())


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_of_rewriting_are_entered_one_way(room: str) -> None:
    found = set()
    for path in FILES:
        parts = path.relative_to(ROOT).parts
        if parts[0] == "rewriting" and parts[1].removesuffix(".py") == room:
            names = [name.split(".") for name, _ in imports(path) if name.startswith("subpixel.rewriting.")]
            found |= {(name[2], name_of(path)) for name in names}
    assert room in {path.stem for path in (ROOT / "rewriting").iterdir()}
    assert not {pair for pair in found if pair[0] not in ROOMS[room] | {room}}


def test_the_page_of_the_study_is_made_from_files_alone() -> None:
    found = set()
    for path in FILES:
        if name_of(path).startswith("study/report/"):
            names = [name for name, _ in imports(path) if name.startswith("subpixel.")]
            # What names and numbers in a result file may be is what the study itself goes by.
            own = tuple(f"subpixel.study.{name}" for name in ("report", "glossary", "lines", "pooling", "strict_json"))
            found |= {(name, name_of(path)) for name in names if not name.startswith(own)}
    assert found
    assert not {pair for pair in found if pair[0].split(".")[1] not in STUDY_REPORT_MAY_IMPORT}


def test_algebra_knows_nothing_of_graphs_files_or_frameworks() -> None:
    """NumPy and the array API alone; not even the package's errors."""
    allowed = {"numpy", "array_api_compat", "subpixel", *sys.stdlib_module_names}
    for path in FILES:
        if folder_of(path) == "algebra":
            names = [name for name, _ in imports(path)]
            assert {name.split(".")[0] for name in names} <= allowed, name_of(path)
            assert all(name.startswith("subpixel.algebra") for name in names if name.startswith("subpixel"))
            assert not any(name.split(".")[0] in ("io", "os", "pathlib", "json") for name in names), name_of(path)


def test_pytorch_is_imported_where_the_map_says() -> None:
    at_import = {name_of(path) for path in FILES if uses(path, "torch", "module")}
    assert all(name.startswith(WITH_TORCH) for name in at_import), at_import
    assert {"models/module.py", "runtime/on_torch.py"} <= at_import


@pytest.mark.parametrize("name", [n for n in map(name_of, FILES) if n.startswith(WITH_TORCH) and "__init__" not in n])
def test_what_needs_pytorch_is_imported_late(name: str) -> None:
    """By all others only inside functions or for types, so that nothing drags PyTorch in."""
    if not uses(ROOT / name, "torch", "module"):
        return
    module = "subpixel." + name.removesuffix(".py").replace("/", ".")
    for other in FILES:
        if name_of(other).startswith(WITH_TORCH):
            continue
        for imported, when in imports(other):
            is_it = imported == module or imported.startswith(f"{module}.")
            assert not is_it or when != "module", f"{name_of(other)} imports {module} at its top"


def test_only_media_opens_pictures_and_only_the_command_speaks_click() -> None:
    assert {folder_of(path) for path in FILES if uses(path, "PIL", "module", "function")} <= {"media"}
    assert {folder_of(path) for path in FILES if uses(path, "av", "module", "function")} <= {"media", "upscaling"}
    assert {folder_of(path) for path in FILES if uses(path, "pyvips", "module", "function")} <= {"media"}
    assert {folder_of(path) for path in FILES if uses(path, "click", "module", "function", "types")} <= {"cli"}
    assert {folder_of(path) for path in FILES if uses(path, "cv2", "module", "function")} <= {"bench"}


# --- what an import loads --------------------------------------------------------------------------------------------


def loaded_by(statement: str, *, without_torch: bool = False) -> set[str]:
    """The top-level modules in memory after `statement` in a fresh interpreter."""
    block = "import sys; sys.modules['torch'] = None\n" if without_torch else ""
    script = (
        f"{block}{statement}\nimport sys; print(*sorted({{m.split('.')[0] for m in sys.modules if sys.modules[m]}}))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_import_subpixel_loads_nothing_heavy() -> None:
    assert not loaded_by("import subpixel") & set(HEAVY)


def test_the_command_starts_without_anything_heavy_but_click() -> None:
    assert not loaded_by("import subpixel.cli") & (set(HEAVY) - {"click"})


def test_everything_else_imports_without_pytorch() -> None:
    modules = [
        "subpixel." + name.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
        for name in map(name_of, FILES)
        if not name.startswith(WITH_TORCH) and name not in ("__init__.py", "__main__.py")
    ]
    loaded_by("\n".join(f"import {module}" for module in modules), without_torch=True)


# --- what is public --------------------------------------------------------------------------------------------------


def with_all() -> list[str]:
    """Packages that list what is public."""
    found = []
    for path in FILES:
        if path.name == "__init__.py" and "__all__" in path.read_text(encoding="utf-8"):
            found.append(".".join(("subpixel", *path.relative_to(ROOT).parts[:-1])))
    return found


@pytest.mark.parametrize("package", with_all())
def test_all_is_what_is_public(package: str) -> None:
    """Sorted, everything in it there, and nothing public beside it but the package's own modules."""
    if package in ("subpixel.nn", "subpixel.train"):
        pytest.importorskip("torch", reason=f"{package} needs PyTorch")
    module = import_module(package)
    folder = Path(module.__file__ or "").parent
    assert len(set(module.__all__)) == len(module.__all__)
    for name in module.__all__:
        assert getattr(module, name) is not None
    own = {path.stem for path in folder.glob("*.py")} | {path.name for path in folder.iterdir() if path.is_dir()}
    public = {name for name in vars(module) if not name.startswith("_")}
    assert public - set(module.__all__) - own <= {"TYPE_CHECKING", "import_module", "MissingExtra"}


def test_packages_that_are_used_from_outside_list_what_is_public() -> None:
    assert set(with_all()) >= {
        f"subpixel{part}" for part in ("", ".algebra", ".nn", ".models", ".rewriting", ".runtime", ".evaluate")
    }
