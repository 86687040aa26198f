"""Whether a path is a folder, for paths that may be anything."""

from pathlib import Path


def is_folder(path: Path) -> bool:
    """False too where the system will not say: a loop of links, a closed folder, too long a name.

    Who then opens the path as a file meets the system's reason, and can say it for that file alone.
    """
    try:
        return path.is_dir()
    except (OSError, RuntimeError, ValueError):
        return False
