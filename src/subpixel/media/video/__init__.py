"""Video files: kinds, pixel formats, frames in, segments, frames out, and all that a file holds besides."""
