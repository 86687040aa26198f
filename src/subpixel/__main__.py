"""`python -m subpixel` is the command `subpixel`."""

from subpixel.cli import main

main()
