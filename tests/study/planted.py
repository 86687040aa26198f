"""Lines of result files whose answer is known."""

from subpixel.study.budget import describe
from subpixel.study.plan import budget_of, network_of, plan

PICTURES = 19


def lines_of(settings, scales, gains, *, spread=0.01, leave_out=lambda run: False, diverged=lambda run: None):
    """A line for every run: 30 dB, `gains` by family on top, noise by seed and picture."""
    made = []
    for scale in scales:
        for run in plan(scale, settings):
            if run.matching == "rate" or leave_out(run):
                continue
            network, lost = network_of(run), diverged(run)
            level = 30 + gains.get(run.family, 0.0) + spread * ((run.seed * 7 + len(run.family)) % 3 - 1)
            images = {f"p{i}": round(level + 0.3 * i + spread * (i % 2), 4) for i in range(PICTURES)}
            curve = [[0, 28.0], [50, level - 0.02], [75, level - 0.01], [100, level]]
            made.append(
                {
                    "key": run.key,
                    "scale": scale,
                    "matching": run.matching,
                    "budget": run.budget,
                    "budget_macs": budget_of(scale, run.budget).macs_per_lr_pixel,
                    "family": run.family,
                    "seed": run.seed,
                    **describe(network),
                    "learning_rate": 0.01,
                    "steps": 100,
                    "curve": curve[:1] if lost else curve,
                    "diverged": lost,
                    "psnr": None if lost else {"Set": {"mean": level, "images": images}},
                    "recipe": settings.recipe(),
                }
            )
    return made
