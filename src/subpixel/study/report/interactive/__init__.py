"""The part of the page that computes: a reader changes signal, weights, stride and padding; three forms agree."""
