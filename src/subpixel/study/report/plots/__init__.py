"""Plots as drawings: axes, lines with intervals, rows of intervals, a map of winners."""
