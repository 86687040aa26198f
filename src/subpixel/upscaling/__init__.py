"""Enlarging: a method as one object over float arrays (`upscaler`), and whole pictures through it (`pictures`)."""
