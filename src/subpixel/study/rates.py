"""Which learning rate the search found for a family, and so for a run of the plan."""

from collections.abc import Sequence

from subpixel.study.lines import Line
from subpixel.study.plan import ONE_LAYER, Run
from subpixel.study.settings import BudgetSettings


def best_rate(family: str, scale: int, lines: Sequence[Line]) -> float | None:
    """The learning rate whose search ended with the highest PSNR on the held-out pictures; None without a search.

    For two forms of one layer it is the rate whose mean over both is highest: one short run from one seed tells rates
    that are almost as good as each other apart by chance, and the forms must not learn at two.
    """
    forms = ONE_LAYER if family in ONE_LAYER else (family,)
    tried: dict[float, dict[str, float]] = {}
    for line in lines:
        searched = (line["scale"], line["matching"]) == (scale, "rate") and line["family"] in forms
        if searched and line["diverged"] is None and line["curve"]:
            tried.setdefault(line["learning_rate"], {})[line["family"]] = line["curve"][-1][1]
    sums = [(sum(found.values()), rate) for rate, found in tried.items() if len(found) == len(forms)]
    return float(max(sums)[1]) if sums else None


def rate_for(run: Run, settings: BudgetSettings, lines: Sequence[Line]) -> float:
    """The learning rate of a run: of a search its own, else the one that the search found for its family."""
    if run.rate is not None:
        return run.rate
    if len(settings.rates) == 1:
        return settings.rates[0]
    return best_rate(run.rated_as, run.scale, lines) or settings.rates[0]
