"""Folders among the inputs: whether a path is one, what is in it, where its results go."""

import os
from collections.abc import Callable
from pathlib import Path


def is_folder(path: Path) -> bool:
    """False too where the system will not say: a loop of links, a closed folder, too long a name.

    Who then opens the path as a file meets the system's reason, and can say it for that file alone.
    """
    try:
        return path.is_dir()
    except (OSError, RuntimeError, ValueError):
        return False


def files_in(folder: Path, wanted: Callable[[Path], bool]) -> list[Path]:
    """Its files, and its subfolders', that are wanted and not hidden; sorted."""
    return [p for p in sorted(folder.rglob("*")) if not p.name.startswith(".") and wanted(p) and not _is_other(p)]


def closed_folders(folder: Path) -> list[OSError]:
    """Why it, or some of its subfolders, cannot be looked into: searching passes over them."""
    errors: list[OSError] = []
    for _ in os.walk(folder, onerror=errors.append):
        pass
    return errors


def results_of(folder: Path, files: list[Path], out: Path | None, label: str) -> list[tuple[Path, Path]]:
    """Its files with where their results go: under `out`, else under NAME_x3 beside it, subfolders kept.

    Earlier results, in a target that lies inside the searched folder, are left out.
    """
    named = folder.resolve() if folder.name in ("", "..") else folder  # "." and ".." have no name to add to
    target = named.with_name(f"{named.name}_{label}") if out is None else out
    return [(path, target / path.relative_to(folder)) for path in files if not _within(path, target, folder)]


def _is_other(path: Path) -> bool:
    """Whether it is surely no file; where the system will not say, reading it will tell the user why."""
    try:
        return not path.is_file()
    except (OSError, ValueError):
        return False


def _within(path: Path, target: Path, source: Path) -> bool:
    """Whether a file is an earlier output, in a target folder that lies inside the searched one."""
    resolved, folder, searched = (Path(os.path.realpath(name)) for name in (path, target, source))  # never raises
    return folder != searched and resolved.is_relative_to(folder)
