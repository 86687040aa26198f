"""The commands that repeat the runs of a result file, as far as its lines state what they were made with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from subpixel.study.glossary import JUDGING, LEARNING

Line = dict[str, Any]

PARTS = {name: name.replace("_", "-") for name in ("budget", "equal_time", "power", "initialisation", "speed")}
TRAINED = ("budget", "initialisation")
"""Those that learn from photographs and are judged on a benchmark."""

QUICK: dict[str, Callable[[Line], bool]] = {
    "budget": lambda line: (line.get("recipe") or {}).get("steps") == 100,
    "initialisation": lambda line: (line.get("recipe") or {}).get("steps") == 100,
    "equal_time": lambda line: line.get("size") == [96, 54],
    "power": lambda line: line.get("steps") == 150,
    "speed": lambda line: line.get("rounds") == 3,
}
"""By what the lines of `--quick` are known."""
ROUNDS = (3, 7)
"""Of the study of speed, with `--quick` and without."""

FILL_IN = (
    "FOLDER is where to write; PICTURES is the folder that the networks learnt from, LIST (--pictures) and NAME "
    "(--held-out, once for each) which of its pictures were taken and held out; benchmarks are folders of such "
    "names: the lines hold checksums of all pictures, not their names, and a list may not have been given. "
    "docs/study.md has the command of the results that come with the program."
)


def command(name: str, lines: list[Line]) -> str:
    """Of the result file `name`: scales, sets, threads and size of the study are those of its lines."""
    drawn = {what for line in lines for what in line.get("drawn") or ()}
    said = ["subpixel study", "-o FOLDER"] if drawn else [f"subpixel study {PARTS[name]}", "-o FOLDER"]
    if any(map(QUICK[name], lines)):
        said.append("--quick")
    if name != "speed":
        said += [f"--scale {scale}" for scale in dict.fromkeys(line["scale"] for line in lines)]
    if name == "speed":
        rounds = {line["rounds"] for line in lines}
        said += [f"--rounds {count}" for count in sorted(rounds) if count not in ROUNDS]
    said += [f"--threads {count}" for count in sorted({line.get("threads") or 1 for line in lines}) if count != 1]
    if name in TRAINED and LEARNING not in drawn:
        said.append("--pictures-folder PICTURES --pictures LIST --held-out NAME")
    if name in TRAINED and JUDGING not in drawn:
        sets = dict.fromkeys(str(one) for line in lines for one in (line.get("psnr") or {}))
        said += [f"--benchmark {one}" for one in sets] or ["--benchmark SET"]
    return " ".join(said)
