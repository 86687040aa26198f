"""Networks whose convolutions all run in low-resolution space, and the algebra that makes them exact.

After Shi et al. 2016, "Is the deconvolution layer the same as a convolutional layer?" (arXiv 1609.07009).
"""

__version__ = "0.1.0"
