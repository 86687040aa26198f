"""`python -m subpixel.study.report.figures FOLDER`: each figure as FOLDER/NAME.svg."""

import sys
from pathlib import Path

from subpixel.study.report.figures.note import figures


def main() -> None:
    """Write the figures and print their paths."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m subpixel.study.report.figures FOLDER")
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for drawing in figures():
        path = folder / f"{drawing.name}.svg"
        path.write_text(drawing.markup(standalone=True) + "\n", encoding="utf-8")
        print(path)


if __name__ == "__main__":
    main()
