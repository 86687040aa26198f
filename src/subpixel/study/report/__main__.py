"""`python -m subpixel.study.report FOLDER OUTPUT.html`: the page of the result files in a folder."""

import sys

from subpixel.errors import in_one_sentence
from subpixel.study.report.page import write_report


def main() -> None:
    """Write the page and print its path."""
    if len(sys.argv) != 3:
        sys.exit("usage: python -m subpixel.study.report FOLDER_OF_RESULTS OUTPUT.html")
    with in_one_sentence(1):
        write_report(sys.argv[1], sys.argv[2])
    print(sys.argv[2])


if __name__ == "__main__":
    main()
