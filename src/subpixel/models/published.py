"""What papers state of the reference networks: PSNR of Y in dB by set and scale, under the papers' protocol.

Weights are the authors' own, from training sets of their choice; ours beside them come from other pictures.
"""

PUBLISHED: dict[str, dict[str, dict[int, float]]] = {
    "espcn-tanh": {"Set5": {3: 32.55}, "Set14": {3: 29.08}},  # 91 images: arXiv 1609.05158, table 1
    "srcnn": {"Set5": {2: 36.34, 3: 32.39, 4: 30.09}},  # 9-1-5: arXiv 1501.00092
    "srcnn-955": {"Set5": {2: 36.66, 3: 32.75, 4: 30.49}, "Set14": {2: 32.42}},  # ImageNet: arXiv 1501.00092
    "fsrcnn": {"Set5": {2: 37.00, 3: 33.16, 4: 30.71}, "Set14": {2: 32.63, 4: 27.60}},  # arXiv 1608.00367
    "fsrcnn-s": {"Set5": {2: 36.53, 3: 32.55, 4: 30.04}},  # 91 images: arXiv 1608.00367
    "vdsr": {"Set5": {2: 37.53, 3: 33.66, 4: 31.35}, "Set14": {2: 33.03, 3: 29.77, 4: 28.01}},  # arXiv 1511.04587
    "drcn": {"Set5": {2: 37.63, 3: 33.82, 4: 31.53}, "Set14": {2: 33.04, 3: 29.76, 4: 28.02}},  # arXiv 1511.04491
}
