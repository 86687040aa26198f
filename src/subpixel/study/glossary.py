"""The names that stand in result files, and what each is: once, for programs, lines, the page and docs/study.md."""

FAMILIES = {
    "nearest-first": "nearest neighbour, then convolutions at HR",
    "bicubic-first": "bicubic interpolation, then convolutions at HR (SRCNN, VDSR, DRCN)",
    "deconvolution-first": "a transposed convolution of 3r × 3r taps, then convolutions at HR",
    "deconvolution-last": "convolutions at LR, then a transposed convolution of 3r × 3r taps (FSRCNN)",
    "shuffle-last": "convolutions at LR, the last of r² maps, then periodic shuffling (ESPCN)",
    "resize-last": "convolutions at LR, nearest neighbour, then one convolution at HR",
}
"""The first three compute at HR, the last three at LR."""

AT_HR = ("nearest-first", "bicubic-first", "deconvolution-first")
AT_LR = ("deconvolution-last", "shuffle-last", "resize-last")

CONTROLS = {
    "equal-weights": "shuffle-last of the most weights that are no more than nearest-first has, at about 1/r² of the"
    " multiplications: what fewer weights alone explain",
    "equal-receptive-field": "shuffle-last, whose first layers alone have 3 × 3 taps, as many as keep its window"
    " within nearest-first's (as wide at ×2 and ×4; at ×3 narrower, 3 LR pixels against 4), at equal multiplications:"
    " what the receptive field alone explains",
    "tied-phases": "nearest-first lifted to LR space (law A9): r² times the maps, tied so that they compute the very"
    " same function; what the LR form alone explains",
    "untied-phases": "the same LR network with every weight free: what tying costs, at up to r² times the"
    " multiplications",
}
"""Runs beside the families, at the middle budget, that separate the causes."""

TEACHERS = {
    "one layer": "one LR convolution of 3 × 3 taps with a random kernel for each phase, then the shuffle: within"
    " everybody's receptive field",
    "deep": "a random LR network of the student's own size, untied phases: LR convolutions, then the shuffle",
}
"""The functions that are to be fitted."""

STARTS = {
    "random": "He's normal for every phase of the layer before the shuffle",
    "icnr": "one kernel for all phases (Aitken et al. 2017)",
    "resize": "nearest neighbour, then a convolution, in place of convolution and shuffle",
}

TIMED = "equal-ms-"
"""What a matching begins with where time is equal; the runtime follows."""
EQUAL_MACS = "equal-macs"
EQUAL_TIME = "equal-time"
"""The matching of the lines of equal_time.jsonl, whose times are made equal, and of a finding on them."""
BEATS = "LR convolutions and a shuffle beat every network that enlarges first"
"""The note's claim, as findings state it."""
MIXED = "mixed"
"""The matching of a finding on runs of different settings, which are not compared."""

LEARNING, JUDGING = "learning", "judging"
"""What computed pictures can stand in for; a line's `drawn` lists the ones that they stood in for."""
