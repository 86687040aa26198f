"""The folder beside an output in which a video is made: its finished segments, and what they were made with."""

import json
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

from subpixel.errors import OutputError
from subpixel.media.video.segments import SegmentHead, read_head

VERSION = 2  # of the folder's own format


class Work:
    """Use as a context: the folder is locked for this process.

    Attributes:
        folder: `OUTPUT.part`.
    """

    def __init__(self, output: Path) -> None:
        self.output = output
        self.folder = output.with_name(f"{output.name}.part")
        self._lock: int | None = None
        self._heads: list[SegmentHead] = []  # of the segments that have been read and found whole

    def __enter__(self) -> "Work":
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._take_lock()
        except OSError as error:
            reason = error.strerror or str(error)
            raise OutputError(f"{self.output} cannot be written ({reason}): name another place with -o") from error
        return self

    def __exit__(self, *about: Any) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _take_lock(self) -> None:
        try:
            import fcntl
        except ImportError:  # Windows: nobody is kept out
            return
        self._lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._lock)
            self._lock = None
            raise OutputError(f"{self.output} is being written by another run: wait for it, or stop it") from error

    def begun_with(self) -> dict[str, Any] | None:
        """What the segments in the folder were made with, or None where nothing usable is there."""
        with suppress(OSError, ValueError):
            job = json.loads((self.folder / "job.json").read_text(encoding="utf-8"))
            if isinstance(job, dict) and job.get("version") == VERSION:
                return job
        return None

    def begin(self, job: dict[str, Any]) -> None:
        """Forget what is there, and write down what is being made.

        Raises:
            OutputError: the system refuses.
        """
        self._heads.clear()
        try:
            for path in self.folder.iterdir():
                if path.name != "lock":
                    path.unlink()
            temporary = self.folder / "job.new"
            temporary.write_text(json.dumps({"version": VERSION, **job}, indent=1), encoding="utf-8")
            temporary.replace(self.folder / "job.json")
        except OSError as error:
            raise OutputError(f"{self.folder} cannot be written ({error.strerror}): remove it") from error

    def segment(self, number: int) -> Path:
        """Where a segment is kept."""
        return self.folder / f"{number:06}.segment"

    def finished(self) -> list[SegmentHead]:
        """The heads of the whole segments that are there, from the first on without a gap; each is read once."""
        while (head := read_head(self.segment(len(self._heads)))) is not None:
            self._heads.append(head)
        return list(self._heads)

    def result(self) -> Path:
        """Where the finished file is put together before it is renamed; its ending is the output's."""
        return self.folder / f"result{self.output.suffix}"

    def deliver(self) -> None:
        """Rename the finished file into its place and remove the folder.

        Raises:
            OutputError: the system refuses.
        """
        try:
            with self.result().open("rb+") as file:
                os.fsync(file.fileno())
            self.result().replace(self.output)
        except OSError as error:
            raise OutputError(f"{self.output} cannot be written ({error.strerror}): name another place") from error
        self.remove()

    def remove(self) -> None:
        """Remove the folder with all that is in it."""
        shutil.rmtree(self.folder, ignore_errors=True)
