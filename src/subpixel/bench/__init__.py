"""Timings against other software: interleaved rounds, medians, equal threads."""
