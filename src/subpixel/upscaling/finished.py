"""What earlier calls finished, so that an interrupted one can be taken up again.

A result is whole once it has its name. That it is the result of this source by these settings is noted in the
user's cache folder, after it has its name: whatever a kill leaves between the two is made once more.
"""

import json
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any

from subpixel.media.atomic import sweep
from subpixel.runtime.choice import cache_folder


class Finished:
    """Notes of finished files, one notebook for each folder of results."""

    def __init__(self, settings: dict[str, Any]) -> None:
        """`settings`: all that decides what a result looks like; numbers and strings."""
        self._settings = sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]
        self._books: dict[Path, dict[str, list[Any]]] = {}
        self._lock = Lock()

    def has(self, source: Path, output: Path) -> bool:
        """Whether the output is there as it was left, made from the source as it is, by the same settings."""
        folder = output.parent.resolve()
        if folder not in self._books:
            sweep(folder)
            self._books[folder] = self._read(folder)
        noted = self._books[folder].get(output.name)
        return noted is not None and noted == self._state(source, output)

    def note(self, source: Path, output: Path) -> None:
        """The output is made. Where nothing can be noted it will be made again."""
        state = self._state(source, output)
        with suppress(OSError), self._lock:
            book = _book(output.parent.resolve())
            book.parent.mkdir(parents=True, exist_ok=True)
            with book.open("a", encoding="utf-8", errors="surrogateescape") as file:
                file.write(json.dumps([output.name, state]) + "\n")

    def _state(self, source: Path, output: Path) -> list[Any] | None:
        try:
            seen = [[path.stat().st_size, path.stat().st_mtime_ns] for path in (source, output)]
        except OSError:
            return None
        return [self._settings, str(source.resolve()), *seen]

    @staticmethod
    def _read(folder: Path) -> dict[str, list[Any]]:
        noted = {}
        with suppress(OSError):
            for line in _book(folder).read_text(encoding="utf-8", errors="surrogateescape").splitlines():
                with suppress(ValueError, TypeError):  # the line that a kill tore
                    name, state = json.loads(line)
                    noted[name] = state
            with suppress(OSError):  # each name once
                lines = [json.dumps([name, state]) + "\n" for name, state in noted.items()]
                fresh = _book(folder).with_suffix(".new")
                fresh.write_text("".join(lines), encoding="utf-8", errors="surrogateescape")
                fresh.replace(_book(folder))
        return noted


def _book(folder: Path) -> Path:
    name = sha256(str(folder).encode("utf-8", "surrogateescape")).hexdigest()[:24]
    return cache_folder() / "finished" / f"{name}.jsonl"
