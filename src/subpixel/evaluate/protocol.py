"""How pictures are compared: one frozen value, printed with every figure."""

from dataclasses import dataclass
from typing import Literal

from subpixel.errors import UsageError


@dataclass(frozen=True)
class Protocol:
    """What all protocols of the field share is in `subpixel.evaluate`; this is where they differ.

    Shared: HR cropped at the right and bottom to a multiple of the scale r; Y of MATLAB's rgb2ycbcr (16..235),
    rounded to 8 bits as MATLAB rounds it, a grey picture's pixels being Y; output rounded to 8 bits; r pixels
    cut off each side; PSNR with peak 255; SSIM of Wang et al. 2004; means over the pictures.

    Attributes:
        name: papers, png or given.
        lr: unrounded (made from Y, as SRCNN, FSRCNN and ESPCN do), rounded (8-bit RGB, as the EDSR line
            does), or given (LR pictures from a folder).
    """

    name: str
    lr: Literal["unrounded", "rounded", "given"]

    def describe(self, scale: int) -> str:
        """The line that stands with every figure."""
        made = {
            "unrounded": "LR by MATLAB's bicubic imresize, unrounded",
            "rounded": "LR by MATLAB's bicubic imresize, 8-bit",
            "given": "LR pictures as given",
        }[self.lr]
        return f"{self.name}: x{scale}, {made}; Y of BT.601, output 8-bit, {scale} px shaved, peak 255"


PAPERS = Protocol("papers", "unrounded")
PNG = Protocol("png", "rounded")
GIVEN = Protocol("given", "given")
PROTOCOLS = {protocol.name: protocol for protocol in (PAPERS, PNG, GIVEN)}


def protocol_named(name: str) -> Protocol:
    """The protocol of that name.

    Raises:
        UsageError: if there is none.
    """
    if name not in PROTOCOLS:
        raise UsageError(f"there is no protocol {name!r}; there are {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]
