"""What the numbers say, in plain sentences made by the program: holds, does not hold, undecided, or missing."""

from subpixel.study.findings.budget import findings
from subpixel.study.findings.files import write_findings, write_findings_of
from subpixel.study.findings.sentence import Sentence

__all__ = ["Sentence", "findings", "write_findings", "write_findings_of"]
