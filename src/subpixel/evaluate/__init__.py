"""Judging upscalers: the protocol, degradation, PSNR and SSIM."""

from subpixel.evaluate.degrade import degrade
from subpixel.evaluate.metrics import psnr, ssim
from subpixel.evaluate.protocol import GIVEN, PAPERS, PNG, PROTOCOLS, Protocol
from subpixel.evaluate.run import evaluate

__all__ = ["GIVEN", "PAPERS", "PNG", "PROTOCOLS", "Protocol", "degrade", "evaluate", "psnr", "ssim"]
