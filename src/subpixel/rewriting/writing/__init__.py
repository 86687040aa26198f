"""Layers joined into one, spelled in the forms of a goal, written as nodes with fresh names."""
