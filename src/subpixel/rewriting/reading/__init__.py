"""Nodes → layers of `subpixel.algebra` → chains → the sites of a goal. A new operator is a function in `operators`."""
