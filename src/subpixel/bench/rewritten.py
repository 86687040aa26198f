"""Models against themselves rewritten for speed: what `subpixel bench rewrite` does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from onnx import ModelProto

from subpixel.bench.heads import HEADS
from subpixel.errors import MissingExtra, UsageError
from subpixel.progress import Progress
from subpixel.rewriting import RuntimeClock, inspect, rewrite, verify
from subpixel.rewriting.choice.duel import Duel
from subpixel.runtime.cores import available_cores

RUNTIMES = ("onnxruntime", "openvino")
Inputs = dict[str, Sequence[int]]


def bench_rewrite(
    models: Sequence[Path] = (),
    *,
    runtimes: Sequence[str] = RUNTIMES,
    inputs: Inputs | None = None,
    threads: int | None = None,
    seconds: float = 2.0,
    only: str = "",
    shown: Callable[[dict[str, Any]], None] = lambda row: None,
) -> dict[str, Any]:
    """Rewrite models with goal `fastest` and time them against the originals, in turns.

    Nothing is taken from earlier measurements, and the last race is one of its own.

    Args:
        models: ONNX files; none: the built-in heads and decoders.
        runtimes: where; "torch" and "torch.compile" take the built-in ones alone, as modules (extra: torch).
        inputs: whole shapes by input name; those that a model does not have are left out for it.
        threads: of every run; default: one for every physical core.
        seconds: of the last race, each.
        only: of the built-in ones those whose name holds this.
        shown: called with each row as soon as it is measured.

    Returns:
        threads; rows {model, runtime, ms_before, ms_after, ratio, aim, met, form, candidates [{name, ms}], equal,
        rewritten, sites [{node, op, form, refused, share}]}. `aim` and `met` are null for files.

    Raises:
        UsageError: `only` fits nothing; a shape that fits no model; files for torch. InputError: a file is no model.
        MissingExtra: torch is asked for and not installed.
    """
    if models and any(runtime.startswith("torch") for runtime in runtimes):
        raise UsageError("PyTorch is measured on the built-in heads: leave out the files, or name another runtime")
    threads = threads or available_cores()
    jobs: list[tuple[str, ModelProto | Path, dict[str, float], str]]
    if models:
        jobs = [(path.stem, path, {}, "") for path in models]
    else:
        jobs = [(h.name, h.model(), h.aims, h.kept) for h in HEADS if only in h.name]
        if not jobs:
            raise UsageError(f"no built-in head is called {only!r}: there are {', '.join(h.name for h in HEADS)}")
    rows: list[dict[str, Any]] = []
    with Progress("measuring", len(jobs) * len(runtimes), unit="models") as progress:
        for name, model, aims, kept in jobs:
            for runtime in runtimes:
                if runtime.startswith("torch"):
                    row, aim = _module_row(name, runtime, threads, seconds), None
                else:
                    row = _row(model, runtime, inputs, threads, seconds)
                    aim = aims.get(runtime, aims.get("either"))
                met = None if aim is None else row["ratio"] >= aim * (0.97 if aim == 1 else 1)
                if "either" in aims and runtime not in aims and not met:
                    met = None  # not before the other runtimes have been measured
                if kept == runtime:
                    met = row["rewritten"] == 0
                rows.append({"model": name, "aim": aim, "kept": kept == runtime, "met": met, **row})
                shown(rows[-1])
                progress.advance()
        for name, _, aims, _ in jobs:
            if "either" in aims:  # reached on one of the runtimes
                own = [row for row in rows if row["model"] == name and row["aim"] is not None and not row["kept"]]
                for row in own:
                    row["met"] = any(r["ratio"] >= aims["either"] for r in own)
    return {"threads": threads, "rows": rows}


def _module_row(name: str, runtime: str, threads: int, seconds: float) -> dict[str, Any]:
    if find_spec("torch") is None:
        raise MissingExtra("PyTorch is not installed: pip install 'subpixel[torch]'")
    from subpixel.bench.modules import MODULE_HEADS, module_row

    return module_row(next(head for head in MODULE_HEADS if head.name == name), runtime, threads, seconds)


def _row(model: ModelProto | Path, runtime: str, inputs: Inputs | None, threads: int, seconds: float) -> dict[str, Any]:
    from subpixel.rewriting.choice.neighbourhood import input_feeds
    from subpixel.rewriting.graph.model_file import load

    original = load(model)
    known = {value.name for value in original.graph.input}
    given = {name: shape for name, shape in (inputs or {}).items() if name in known} or None
    clock = _Witness(RuntimeClock(runtime, threads, seconds / 2))
    done = rewrite(original, "fastest", clock=clock, inputs=given)
    feeds = input_feeds(original, given)
    if done.report["rewritten"]:
        before, after = RuntimeClock(runtime, threads, seconds).race([original, done.model], feeds, ["a", "b"])
    else:
        before = after = RuntimeClock(runtime, threads, seconds / 2).race([original], feeds, ["a"])[0]
    shares = {site["node"]: site["share"] for site in inspect(original, inputs=given, threads=threads)["sites"]}
    keys = ("node", "op", "law", "form", "refused", "ms_before", "ms_after")
    sites = [{**{k: s[k] for k in keys}, "share": shares.get(s["node"])} for s in done.report["sites"]]
    return {
        "runtime": runtime,
        "ms_before": before,
        "ms_after": after,
        "ratio": before / after if before and after else 1.0,
        "form": "; ".join(s["form"] for s in sites if s["form"]) or None,
        "equal": verify(original, done.model, inputs=given)["equal"],
        "rewritten": done.report["rewritten"],
        "candidates": clock.candidates,
        "sites": sites,
    }


class _Witness:
    """A clock whose races are remembered here and nowhere else."""

    def __init__(self, inner: RuntimeClock) -> None:
        self.inner, self.identity = inner, f"{inner.identity}, bench {id(self)}"
        self.candidates: list[list[dict[str, Any]]] = []

    def race(self, models: Sequence[ModelProto], feeds: Any, names: Sequence[str]) -> list[float | None]:
        """See `subpixel.rewriting.Clock`."""
        times = self.inner.race(models, feeds, names)
        self.candidates.append([{"name": n, "ms": t} for n, t in zip(names, times, strict=True)])
        return times

    def duel(self, before: ModelProto, after: ModelProto, feeds: Any) -> Duel | None:
        """See `subpixel.rewriting.Clock`."""
        return self.inner.duel(before, after, feeds)
