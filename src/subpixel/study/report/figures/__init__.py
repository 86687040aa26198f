"""The note's figures, redrawn: every number in them is computed by `subpixel.algebra` when they are drawn.

`python -m subpixel.study.report.figures FOLDER` writes them as SVG files.
"""
