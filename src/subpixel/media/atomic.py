"""Files that are whole or not there."""

import os
from pathlib import Path
from secrets import token_hex

from subpixel.errors import OutputError


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file under a temporary name in its own folder, then rename it; the folder is made if missing.

    Whatever ends this early, a full disk or an interrupt too, leaves the old file or none at `path`.

    Raises:
        OutputError: it cannot be written; the temporary file is gone.
    """
    temporary = path.with_name(f".{token_hex(8)}.part")  # the own name may be as long as a name can be
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(f"{path} cannot be written ({reason}): name another place with -o") from error
