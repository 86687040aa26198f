"""What speed.jsonl says of the papers' claims about speed."""

from collections.abc import Sequence
from math import log2
from statistics import median

from subpixel.study.comparing import Verdict
from subpixel.study.findings.sentence import Sentence, ending
from subpixel.study.lines import Line
from subpixel.study.pooling import TimedAt

NEAR = 0.8
"""Part of a claimed factor that the median must reach for the claim to hold."""


def about_speed(lines: Sequence[Line]) -> list[Sentence]:
    """Who wins on each runtime with so many threads; the two factors of ESPCN's paper at each stride.

    Source of the factors: Shi et al. 2016, arXiv 1609.05158.
    """
    sentences = []
    processors = {line.get("processor") for line in lines}
    for place in dict.fromkeys(map(TimedAt.of, lines)):
        runtime, what = place.runtime, place.what
        here = [line for line in lines if TimedAt.of(line) == place]
        how = place.said(processor=len(processors) > 1)
        for stride in sorted({line["stride"] for line in here}):
            mine = [line["ms"] for line in here if line["stride"] == stride]
            where = f"×{stride}, {runtime}, {what}, {how}"
            spot = (stride, f"{runtime} {what}", where)
            claimed = log2(stride**2)
            if what == "training":
                claim = f"LR convolution and shuffle is log2(r²) = {claimed:.2f} times as fast as deconvolution"
                sentences.append(_factor(spot, claim, [ms["transposed"] / ms["lr-shuffle"] for ms in mine], claimed))
            else:
                claim = "LR convolution and shuffle is faster than deconvolution"
                sentences.append(_factor(spot, claim, [ms["transposed"] / ms["lr-shuffle"] for ms in mine], 1.0))
            rival_is = "nearest neighbour and a convolution of as many taps at HR"
            claim = f"LR convolution and shuffle is r² = {stride**2} times as fast as {rival_is}"
            rival = [ms["upscale-convolve"] / ms["lr-shuffle"] for ms in mine]
            sentences.append(_factor(spot, claim, rival, stride**2))
    return sentences


def _factor(spot: tuple[int, str, str], claim: str, ratios: Sequence[float], claimed: float) -> Sentence:
    stride, place, where = spot
    middle = median(ratios)
    # A claim of no factor but "faster" wants most layers; a factor may be missed by a fifth.
    enough = middle >= (NEAR * claimed if claimed > 1 else 1.0)
    verdict: Verdict = "holds" if enough else "does not hold"
    wins = sum(ratio > 1 for ratio in ratios)
    text = f"median {middle:.2f} ({min(ratios):.2f} to {max(ratios):.2f}), faster in {wins} of {len(ratios)} layers"
    return Sentence("speed", stride, place, None, verdict, f"{where}: {claim}{ending(verdict)} {text}.")
