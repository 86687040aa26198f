"""Every network of the zoo against the clock, in turns, with its PSNR beside: what `subpixel bench models` does."""

from collections.abc import Sequence
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from subpixel.errors import MissingExtra, SubpixelError, UsageError
from subpixel.media.atomic import write_atomically
from subpixel.models import ZOO, build, load, read_weights
from subpixel.models.network import Network, TransposedConvolution
from subpixel.models.onnx_graph import onnx_graph
from subpixel.models.published import PUBLISHED
from subpixel.models.random_weights import random_weights
from subpixel.models.trained import MAY_COST
from subpixel.models.zoo import MAX_SCALE
from subpixel.progress import track
from subpixel.rewriting import rewrite
from subpixel.runtime import Session, open_session
from subpixel.runtime.cores import available_cores

WAYS = (("onnxruntime", "f32"), ("openvino", "f32"), ("openvino", "bf16"), ("openvino", "int8"))
REWRITTEN = ", LR"  # behind the name of a network whose transposed convolution was rewritten
BUDGET = 60.0  # GMAC a picture beyond which nothing is run


def bench_models(
    scale: int = 3,
    *,
    size: tuple[int, int] = (640, 360),
    threads: int | None = None,
    rounds: int = 15,
    budget: float = BUDGET,
) -> dict[str, Any]:
    """Time every network of the zoo from LR luma to HR luma.

    The time does not depend on the weights: a network that comes without them is timed with random ones, and its
    PSNR is what its paper states; in int8 only what was calibrated is. A network with a transposed convolution runs
    once more as `subpixel rewrite --goal lr` gives it, under its name and ", LR".

    Args:
        scale: 2, 3, ...
        size: of the LR picture, width and height.
        threads: default: one for every physical core.
        rounds: each runs every network in every way once; the figures are medians over them.
        budget: GMAC a picture beyond which a network is not run but named in `missing`.

    Returns:
        scale, size, threads, rounds; rows (name, parameters, gmacs: 10^9 multiplications a picture, receptive_field
        in LR pixels, psnr and psnr_by: "ours", "paper" or None, psnr_in: of lower precisions, set; ms: a way to
        its median); missing (name, reason).

    Raises:
        UsageError: a scale that no network has.
    """
    threads = threads or available_cores()
    x = np.random.default_rng(0).random((1, 1, size[1], size[0]), np.float32)
    networks: dict[str, Network] = {}
    missing: list[dict[str, str]] = []
    for name in (name for name, descriptor in ZOO.items() if descriptor.build):
        try:
            network = build(name, scale)
        except UsageError as error:
            if not 2 <= scale <= MAX_SCALE:  # of none of them
                raise
            missing.append({"name": name, "reason": str(error)})
            continue
        gmacs = _gmacs(network, size)
        if gmacs > budget:
            amount = f"{gmacs:,.0f}" if gmacs >= 10 else f"{gmacs:.2g}"
            missing.append({"name": name, "reason": f"{amount} GMAC a picture: not run"})
        else:
            networks[name] = network
    sessions: dict[tuple[str, str], Session] = {}
    rewritten: dict[str, ModelProto] = {}
    for name, network in track(list(networks.items()), "opening", unit="networks"):
        trained = load(name, scale) if scale in ZOO[name].shipped else None
        graph = trained.to_onnx() if trained else onnx_graph(network, random_weights(network))
        int8 = trained.to_int8() if trained else None
        even = trained.to_int8_pairs() if trained else None
        for runtime, precision in WAYS:
            if precision == "int8" and int8 is None:
                continue  # no ranges: nothing to time
            try:
                session = open_session(
                    graph, runtime=runtime, threads=threads, precision=precision, int8=int8, int8_even=even
                )
                session.run(x)
                sessions[name, f"{runtime}, {precision}"] = session
            except SubpixelError as error:
                missing.append({"name": f"{name} on {runtime}, {precision}", "reason": str(error)})
        if any(isinstance(step, TransposedConvolution) for step in network.steps):
            rewritten[name] = rewrite(graph, goal="lr").model
    for name, graph in rewritten.items():
        for runtime, precision in WAYS:
            if precision == "int8":
                continue  # not calibrated
            with suppress(SubpixelError):  # named above
                session = open_session(graph, runtime=runtime, threads=threads, precision=precision)
                session.run(x)
                sessions[f"{name}{REWRITTEN}", f"{runtime}, {precision}"] = session
    times: dict[tuple[str, str], list[float]] = {key: [] for key in sessions}
    for _ in track(range(rounds), "measuring", unit="rounds"):
        for key, session in sessions.items():
            start = perf_counter()
            session.run(x)
            times[key].append(1e3 * (perf_counter() - start))
    rows = []
    shown = [(name, name) for name in networks] + [(f"{name}{REWRITTEN}", name) for name in rewritten]
    for name, of in shown:
        network = networks[of]
        ms = {way: round(median(values), 2) for (owner, way), values in times.items() if owner == name}
        psnr, by, lower = _psnr(of, scale)
        rows.append(
            {
                "name": name,
                "parameters": network.parameter_count,
                "gmacs": round(_gmacs(network, size), 3),
                "receptive_field": network.receptive_field,
                "set": "Set5",
                "psnr": psnr,
                "psnr_by": by,
                "psnr_in": lower,
                "ms": ms,
            }
        )
    return {
        "scale": scale,
        "size": list(size),
        "threads": threads,
        "rounds": rounds,
        "rows": rows,
        "missing": missing,
    }


def add_times(
    rows: list[dict[str, Any]], files: Sequence[Path] = (), *, threads: int | None = None, rounds: int = 7
) -> None:
    """Time every network of `models.table` to 1920×1080 pixels of luma, in turns, each in the fastest way it may take.

    Args:
        rows: of `models.table`, or `models.table_of` for `files`; each entry of `weights` gets ms, runtime and
            precision, which are None beyond 60 GMAC.
        files: the weight files of the rows, in their order.
        threads: default: one for every physical core.
        rounds: each runs every network once.
    """
    threads = threads or available_cores()
    sessions: list[tuple[dict[str, Any], Session, NDArray[np.float32]]] = []
    asked = [(index, row["name"], entry) for index, row in enumerate(rows) for entry in row["weights"]]
    for index, name, entry in track(asked, "opening", unit="networks"):
        entry |= {"ms": None, "runtime": None, "precision": None}
        if entry["macs_1080p"] > BUDGET * 1e9:
            continue
        scale = entry["scale"]
        x = np.random.default_rng(0).random((1, 1, 1080 // scale, 1920 // scale), np.float32)
        if entry["file"] is None:
            network = build(name, scale)
            session = open_session(onnx_graph(network, random_weights(network)), threads=threads)
        else:
            trained = read_weights(files[index]) if files else load(name, scale)
            close, int8, even = trained.close_precisions, trained.to_int8(), trained.to_int8_pairs()
            session = open_session(trained.to_onnx(), threads=threads, close=close, int8=int8, int8_even=even)
        session.run(x)
        sessions.append((entry, session, x))
    times: list[list[float]] = [[] for _ in sessions]
    for _ in track(range(rounds), "measuring", unit="rounds"):
        for (_, session, x), taken in zip(sessions, times, strict=True):
            start = perf_counter()
            session.run(x)
            taken.append(1e3 * (perf_counter() - start))
    for (entry, session, _), taken in zip(sessions, times, strict=True):
        entry |= {"ms": round(median(taken), 2), "runtime": session.runtime, "precision": session.precision}


def _gmacs(network: Network, size: tuple[int, int]) -> float:
    return network.macs_per_lr_pixel * size[0] * size[1] / 1e9


def _psnr(name: str, scale: int) -> tuple[float | None, str | None, dict[str, float]]:
    """Set5's, ours where there are weights, else the paper's; whose it is; and ours by lower precision."""
    if scale in ZOO[name].shipped:
        figures = load(name, scale).header["figures"]
        stated = next(figure for figure in figures if figure["set"] == "Set5")
        lower = {p: stated[f"{p}_psnr"] for p in MAY_COST if stated.get(f"{p}_psnr") is not None}
        return stated["psnr"], "ours", lower
    paper = PUBLISHED.get(name, {}).get("Set5", {}).get(scale)
    return paper, None if paper is None else "paper", {}


def check_plot() -> None:
    """Whether `plot` can draw, asked before the measuring.

    Raises:
        MissingExtra: Matplotlib is not installed.
    """
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise MissingExtra("the plot needs Matplotlib: pip install 'subpixel[bench]'") from error


def plot(result: dict[str, Any], path: Path) -> None:
    """PSNR against time, a panel a way, as a picture: filled points are shipped weights, open ones the papers' figures.

    Raises:
        MissingExtra: Matplotlib is not installed.
        UsageError: no network was timed.
        OutputError: the file cannot be written.
    """
    check_plot()
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullLocator

    ways = [way for way in (f"{r}, {p}" for r, p in WAYS) if any(way in row["ms"] for row in result["rows"])]
    if not ways:
        raise UsageError(f"there is nothing to draw in {path}: no network was run; give a larger --budget")
    figure = Figure(figsize=(3.6 * len(ways), 3.8), layout="constrained")
    panels = figure.subplots(1, len(ways), sharex=True, sharey=True, squeeze=False)[0]
    drawn = [row for row in result["rows"] if row["psnr"] is not None]  # at some scales nobody has a figure
    most = max((row["ms"].get(way, 0) for row in drawn for way in ways), default=0)
    for index, (way, axes) in enumerate(zip(ways, panels, strict=True)):
        precision = way.split(", ")[1]
        rows = [row for row in drawn if way in row["ms"]]
        for row in rows:
            ours = row["psnr_by"] == "ours"
            colour = "#0b6e99" if ours else "#8a8a8a"
            psnr = row["psnr_in"].get(precision, row["psnr"])
            axes.plot(row["ms"][way], psnr, "o", color=colour, fillstyle="full" if ours else "none")
            at_the_right = row["ms"][way] > 0.3 * most
            rewritten = row["name"].endswith(REWRITTEN)
            # Names of networks of one PSNR, which would run into one another, stand in steps.
            level = sum(
                not rewritten
                and other["psnr"] == row["psnr"]
                and not other["name"].endswith(REWRITTEN)
                and other["ms"][way] < row["ms"][way]
                for other in rows
            )
            axes.annotate(
                row["name"],
                (row["ms"][way], psnr),
                xytext=(-6 if at_the_right else 6, 5 if rewritten else -3 - 10 * level),
                textcoords="offset points",
                ha="right" if at_the_right else "left",
                fontsize=8,
                color=colour,
            )
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(10, (1, 2, 5)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_locator(NullLocator())
        axes.margins(0.18)
        axes.set_title(way, fontsize=9)
        axes.set_xlabel("ms a picture", fontsize=8)
        axes.tick_params(labelsize=8, which="both")
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        if index == 0:
            axes.set_ylabel("PSNR of Y on Set5, dB", fontsize=8)
    w, h = result["size"]
    figure.suptitle(
        f"×{result['scale']}, luma {w}×{h}, {result['threads']} threads; filled: weights that ship, open: papers",
        fontsize=9,
    )
    drawing = BytesIO()
    figure.savefig(drawing, dpi=130, format=path.suffix[1:].lower())
    write_atomically(path, drawing.getvalue())
