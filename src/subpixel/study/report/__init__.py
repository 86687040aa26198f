"""The page that shows the note's two answers, and the drawings on it."""

from subpixel.study.report.page import write_report

__all__ = ["write_report"]
