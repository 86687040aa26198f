"""What a claim of each part must show to hold, with the numbers that the modules beside this one decide by."""

from subpixel.study.comparing import LEVEL
from subpixel.study.equal_time import SLACK
from subpixel.study.findings.budget import ALIKE, LEVEL_GAIN
from subpixel.study.findings.initialisation import NOTHING as NO_CHECKERBOARD
from subpixel.study.findings.power import FAR
from subpixel.study.findings.power import NOTHING as FITTED
from subpixel.study.findings.speed import NEAR

_PAIRED = (
    "“Better” holds if the 95 % interval of the paired difference over seeds lies above zero and a paired test over "
    f"pictures gives p < {LEVEL:g}; it does not hold if both say the opposite. “Alike” and “what it learnt” hold if "
    f"the whole interval over seeds lies within {ALIKE:g} dB; no test over pictures is asked there."
)
RULES = {
    "budget": f"{_PAIRED} A family none of whose runs stayed finite is beaten. At equal time a family's network is the"
    f" widest of equal width in every layer that takes no more than {SLACK:g} of the budget's time; each sentence says"
    " what it takes. One that is a map wider in some layers may fit, too, and a lead over it may be smaller.",
    "causes": _PAIRED,
    "plateau": "Holds if neither of the two families that were run for longer gains over "
    f"{LEVEL_GAIN:g} dB by it; without both it is undecided. The last quarter of a run decides nothing: the rate falls "
    "to nought, so every curve ends flat.",
    "rates": "Holds if no family's best learning rate is the smallest or the largest that was tried; no test is asked.",
    "power": "Lifting holds if no value of any network differs. That HR networks cannot fit holds if the best run of "
    f"theirs leaves over {FAR:g} times what the worst run of the LR network leaves; it does not hold the other way "
    f"round, nor where the best of theirs leaves under {FITTED:.2%}. What is out of their receptive field's reach "
    "counts: each sentence says what is left above it. Two seeds of each family at least; no interval and no test is "
    "asked.",
    "initialisation": f"A checkerboard at the start is an index over {NO_CHECKERBOARD:.5f}, in every run. Smaller "
    "after training holds if the 95 % interval of the difference over seeds says so, without a test over pictures; a "
    f"lower error if that interval and a paired test over pictures (p < {LEVEL:g}) both do.",
    "speed": f"A factor holds if the median over layers reaches {NEAR:.0%} of it, “faster” if the median is at least "
    "1; no interval and no test is asked.",
}
"""By part; findings.json has them as `rules`."""
