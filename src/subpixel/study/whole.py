"""`subpixel study`: every part in turn, what they say, and the page."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from subpixel.study import budget, equal_time, initialisation, power, speed
from subpixel.study.alone import writes_alone
from subpixel.study.drawn import write_drawn
from subpixel.study.findings import write_findings_of
from subpixel.study.glossary import JUDGING, LEARNING
from subpixel.study.plan import MATCHES
from subpixel.study.results import ResultFile
from subpixel.study.resuming import check_pictures, check_recipe
from subpixel.study.settings import QUICK, BudgetSettings

PAGE = "report.html"


@writes_alone
def study_everything(
    folders: Sequence[Path],
    benchmarks: Sequence[Path],
    output: Path,
    *,
    quick: bool = False,
    scales: Sequence[int] = (3, 2, 4),
    pictures: Path | None = None,
    held_out: tuple[str, ...] = (),
    threads: int = 1,
    shown: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Make every run that the folder `output` lacks, then findings.json and report.html in it.

    Args:
        folders, pictures, held_out, benchmarks: as `study_budget`'s; without folders, and without benchmarks,
            computed pictures take their place, which the report names.
        quick: everything at small size, and equal time at the middle budget alone.

    Returns:
        What findings.json holds.

    Raises:
        InputError: pictures that cannot be used; result files made with other settings or pictures.
    """
    from subpixel.study.report import write_report

    settings = QUICK if quick else BudgetSettings()
    drawn = [what for what, given_ones in ((LEARNING, folders), (JUDGING, benchmarks)) if not given_ones]
    if not folders or not benchmarks:
        learn, judge, names = write_drawn(output / "pictures")
        if not folders:
            shown("no folder of pictures was given: the networks learn from computed ones, unlike photographs")
            folders, held_out, pictures = (learn,), names, None
        if not benchmarks:
            shown("no --benchmark was given: the networks are judged on computed pictures")
            benchmarks = (judge,)
    from subpixel.study.learning.fit import read_data

    # What cannot be used, or is not what the folder was made from, is refused before hours of timing, not after.
    data = read_data(folders, benchmarks, scales[0], settings, pictures=pictures, held_out=held_out)
    there = ResultFile(output / budget.FILE, lambda line: budget.NEEDS)
    check_recipe(there, scales[0], settings)
    check_pictures(there, data)
    timing: dict[str, Any] = {"scales": scales, "settings": settings, "threads": threads, "shown": shown}
    equal_time.study_equal_time(output, **timing)  # first: another machine than the file's is refused before the work
    equal_time.time_equal_macs(output, **timing)
    power.study_power(output, scales=scales, settings=power.QUICK if quick else None, threads=threads, shown=shown)
    rounds = speed.QUICK_ROUNDS if quick else speed.ROUNDS
    speed.study_speed(output, points=speed.grid(quick), threads=threads, rounds=rounds, shown=shown)
    given: dict[str, Any] = {"pictures": pictures, "held_out": held_out, "threads": threads, "shown": shown}
    given["drawn"] = drawn
    starts = settings if quick else initialisation.FULL
    initialisation.study_initialisation(folders, benchmarks, output, scales=scales, settings=starts, **given)
    for match in MATCHES:
        budget.study_budget(folders, benchmarks, output, scales=scales, match=(match,), settings=settings, **given)
    found = write_findings_of(output, scales, settings)
    write_report(output, output / PAGE)
    return found
