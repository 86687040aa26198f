"""`subpixel study equal-time`: widths at which a family takes as long as the network that sets the budget.

Runtimes compute channels in blocks: time rises in steps, and falls where a block is full. So every width is timed,
those near the budget's time run in turns with it, and the widest that is no slower is measured anew; beside it
stands the ratio of their times.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median

from subpixel.errors import InputError
from subpixel.models.network import Network
from subpixel.progress import Progress
from subpixel.runtime.session import installed
from subpixel.study.alone import writes_alone
from subpixel.study.clock import Clock
from subpixel.study.families import LAYERS, build, of_budget, widths_of
from subpixel.study.glossary import EQUAL_MACS, EQUAL_TIME, FAMILIES
from subpixel.study.lines import Line
from subpixel.study.results import ResultFile, circumstances, processor
from subpixel.study.resuming import of_scale, refuse_others
from subpixel.study.settings import BudgetSettings
from subpixel.study.statistics import median_interval
from subpixel.study.values import Needs, is_count, is_counts, is_number, is_text

FILE = "equal_time.jsonl"
NEEDS: Needs = {
    "scale": is_count,
    "widths": is_counts,
    "ms": is_number,
    "ratio": is_number,
    "size": is_counts,
    "threads": is_count,
    "processor": is_text,
}
"""What a line must have to go on from it."""
RUNTIMES = ("onnxruntime", "openvino")
SLACK = 1.03
"""How much of the budget's time a network may take: what the medians of a few rounds can tell apart."""
DOUBT = 1.15
"""Up to what part of the budget's time, by a few runs alone, a network may turn out to be within `SLACK`."""
BLOCK = 16
"""Channels that runtimes compute at once, at most; so many widths in a row beyond `DOUBT` end the search."""
WIDEST = 128
CONFIRMED = 25
"""Rounds, at least, of the measurement that is stored."""


def curve(family: str, scale: int, clock: Clock, most: float) -> dict[int, float]:
    """Milliseconds by width, from 1 until a whole block of widths takes more than `most` (or to `WIDEST`)."""
    found: dict[int, float] = {}
    for width in range(1, WIDEST + 1):
        found[width] = clock.quickest(_of_width(family, scale, width))
        if width >= BLOCK and all(found[near] > most for near in range(width - BLOCK + 1, width + 1)):
            break
    return found


def widest_as_fast(
    family: str, reference: Network, by_width: Mapping[int, float], clock: Clock, rounds: int
) -> tuple[int, list[float]]:
    """The widest network of a family that is no slower than `reference`: its width, and its times over the reference's
    in `CONFIRMED` rounds, measured after it was chosen.

    Args:
        by_width: milliseconds by width, from `curve`.
        rounds: of the race that chooses.

    Where chance has favoured the chosen one and it proves slower, the next narrower one is measured. If all are
    slower, the narrowest comes back with its times.
    """
    scale = reference.scale
    most = DOUBT * clock.quickest(reference)
    near = [width for width, ms in by_width.items() if ms <= most][-BLOCK:] or [1]
    ratios, _ = clock.race([reference, *(_of_width(family, scale, width) for width in near)], rounds)
    within = [width for width, ratio in zip(near, ratios[1:], strict=True) if median(ratio) <= SLACK]
    for width in _downwards(within, near[0]):
        found = clock.race([reference, _of_width(family, scale, width)], max(rounds, CONFIRMED))[0][1]
        if median(found) <= SLACK:
            break
    return width, found


def _downwards(within: Sequence[int], lowest: int) -> Iterator[int]:
    """What the race found fast enough, then what is narrower than all that ran; width 1 at the end in any case."""
    yield from reversed(within)
    if lowest > 1:
        yield from range(lowest - 1, 0, -1)
    elif 1 not in within:
        yield 1


def _of_width(family: str, scale: int, width: int) -> Network:
    return build(family, scale, (width,) * (LAYERS - 1))


@writes_alone
def study_equal_time(
    output: Path,
    *,
    scales: Sequence[int] = (3, 2, 4),
    settings: BudgetSettings | None = None,
    threads: int = 1,
    shown: Callable[[str], None] = lambda line: None,
) -> ResultFile:
    """Find what `output`/equal_time.jsonl lacks: a network of every family for every runtime, scale and budget.

    Args:
        settings: which budgets, on what size, in how many rounds; default: the full study's.
        threads: of the runtimes.
        shown: is called with a line of text after each network.

    Raises:
        InputError: the file is no result file; it holds times of another size, of other threads, or of two processors
            at one scale; or it holds those of another processor and lacks some.
    """
    settings = settings or BudgetSettings()
    maps, rounds = settings.timed_maps, settings.time_rounds
    results = _open(output, scales, settings, threads)
    wanted = [
        (*place, family)
        for place in _places(scales, settings)
        for family in FAMILIES
        if key_of(*place, family) not in results
    ]
    if wanted:  # widths that are all there may be trained anywhere
        _refuse_elsewhere(results)
    by_width: dict[tuple[int, str, str], dict[int, float]] = {}
    with Progress("study: widths of equal time", len(wanted), unit="networks") as progress:
        for scale, runtime, budget, family in wanted:
            clock = Clock(runtime, settings.time_size, threads)
            reference = _of_width("nearest-first", scale, budget)
            if family == "nearest-first":
                (ratio,), ms = clock.race([reference], max(rounds, CONFIRMED))
                width = budget
            else:
                of = (scale, runtime, family)
                if of not in by_width:
                    slowest = max(clock.quickest(_of_width("nearest-first", scale, one)) for one in maps)
                    by_width[of] = curve(family, scale, clock, DOUBT * slowest)
                width, ratio = widest_as_fast(family, reference, by_width[of], clock, rounds)
                # Milliseconds of two races cannot be compared: the budget's, times the ratio within one, can.
                ms = median(ratio) * results.lines[key_of(scale, runtime, budget, "nearest-first")]["ms"]
            key, network = key_of(scale, runtime, budget, family), _of_width(family, scale, width)
            line = {"key": key, "matching": EQUAL_TIME, "budget": budget, **_line(network, clock, ratio, ms)}
            results.add(line)
            shown(summary(line))
            progress.advance()
    return results


@writes_alone
def time_equal_macs(
    output: Path,
    *,
    scales: Sequence[int] = (3, 2, 4),
    settings: BudgetSettings | None = None,
    threads: int = 1,
    shown: Callable[[str], None] = lambda line: None,
) -> ResultFile:
    """Time the networks of equal multiplications beside the one that sets the budget, into the same file: how unequal
    their times are. Nothing is trained by it; arguments and errors as `study_equal_time`'s."""
    settings = settings or BudgetSettings()
    results = _open(output, scales, settings, threads)
    wanted = [
        place
        for place in _places(scales, settings)
        if not all(key_of(*place, family, EQUAL_MACS) in results for family in FAMILIES)
    ]
    if wanted:
        _refuse_elsewhere(results)
    with Progress("study: time at equal multiplications", len(wanted), unit="races") as progress:
        for scale, runtime, budget in wanted:
            clock = Clock(runtime, settings.time_size, threads)
            reference = _of_width("nearest-first", scale, budget)
            networks = [of_budget(family, scale, reference.macs_per_lr_pixel) for family in FAMILIES]
            ratios, ms = clock.race([reference, *networks], max(settings.time_rounds, CONFIRMED))
            for network, ratio in zip(networks, ratios[1:], strict=True):
                key = key_of(scale, runtime, budget, network.name, EQUAL_MACS)
                if key not in results:
                    made = _line(network, clock, ratio, median(ratio) * ms)
                    results.add({"key": key, "matching": EQUAL_MACS, "budget": budget, **made})
                    shown(summary(results.lines[key]))
            progress.advance()
    return results


def _places(scales: Sequence[int], settings: BudgetSettings) -> list[tuple[int, str, int]]:
    """Scale, runtime and budget of everything that is timed here."""
    here = [runtime for runtime in RUNTIMES if installed(runtime)]
    return [(scale, runtime, budget) for scale in scales for runtime in here for budget in settings.timed_maps]


def _open(output: Path, scales: Sequence[int], settings: BudgetSettings, threads: int) -> ResultFile:
    results = ResultFile(output / FILE, lambda line: NEEDS)
    refuse_others(results, {"size": list(settings.time_size), "threads": threads}, results.path)
    for scale in scales:
        processors = dict.fromkeys(line["processor"] for line in of_scale(results, scale))
        if len(processors) > 1:
            raise InputError(
                f"{results.path} holds times of more than one processor at x{scale} ({', '.join(processors)}), which "
                "cannot be compared: remove the lines of all but one"
            )
    return results


def _refuse_elsewhere(results: ResultFile) -> None:
    refuse_others(results, {"processor": processor()}, results.path)


def summary(line: Line) -> str:
    """A measured width in one line of text."""
    maps = f"{' '.join(map(str, line['widths']))} maps"
    too_slow = line["ratio"] > SLACK and line["matching"] != EQUAL_MACS
    what = "too slow at any width, one map a layer takes" if too_slow else f"{maps},"
    between = f"{line['ratio_low']:.3f} to {line['ratio_high']:.3f}"
    return f"{line['key']}: {what} {line['ratio']:.3f} of the budget's time (95 % interval {between})"


def key_of(scale: int, runtime: str, budget: int, family: str, matching: str = "") -> str:
    """The key of a line of equal_time.jsonl; all lines of a file are of one size, number of threads and processor."""
    return f"x{scale}/{runtime}/{budget}maps/{family}" + (f"/{matching}" if matching else "")


def _line(network: Network, clock: Clock, ratio: Sequence[float], ms: float) -> Line:
    low, high = median_interval(ratio)
    return {
        "scale": network.scale,
        "runtime": clock.runtime,
        "family": network.name,
        "widths": list(widths_of(network)),
        "macs_per_lr_pixel": network.macs_per_lr_pixel,
        "ratio": round(median(ratio), 3),
        "ratio_low": round(low, 3),
        "ratio_high": round(high, 3),
        "rounds": len(ratio),
        "ms": round(ms, 3),
        "size": list(clock.size),
        "threads": clock.threads,
        **circumstances(),
    }
