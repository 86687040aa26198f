"""A graph of a model as the readers see it, and what is changed in it: files, names, sizes as symbols, edits."""
