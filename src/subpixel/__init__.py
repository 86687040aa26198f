"""Networks whose convolutions all run in low-resolution space, and the algebra that makes them exact.

After Shi et al. 2016, "Is the deconvolution layer the same as a convolutional layer?" (arXiv 1609.07009).
"""

from importlib import import_module
from typing import TYPE_CHECKING

from subpixel.errors import InputError, MissingExtra, OutputError, SubpixelError, UsageError

if TYPE_CHECKING:
    from subpixel.rewriting.inspecting import inspect
    from subpixel.rewriting.modules.freezing import freeze
    from subpixel.rewriting.rewriter import rewrite
    from subpixel.rewriting.verifying import verify
    from subpixel.upscaling.files import upscale_file
    from subpixel.upscaling.frames import upscale_frames
    from subpixel.upscaling.pictures import upscale, upscale_array
    from subpixel.upscaling.upscaler import open_upscaler
    from subpixel.upscaling.video import upscale_video

__version__ = "0.1.0"
__all__ = [
    "InputError",
    "MissingExtra",
    "OutputError",
    "SubpixelError",
    "UsageError",
    "__version__",
    "algebra",
    "evaluate",
    "freeze",
    "inspect",
    "models",
    "nn",
    "open_upscaler",
    "rewrite",
    "runtime",
    "train",
    "upscale",
    "upscale_array",
    "upscale_file",
    "upscale_frames",
    "upscale_video",
    "verify",
]

_FUNCTIONS = {
    "freeze": "subpixel.rewriting.modules.freezing",
    "inspect": "subpixel.rewriting.inspecting",
    "open_upscaler": "subpixel.upscaling.upscaler",
    "rewrite": "subpixel.rewriting.rewriter",
    "upscale": "subpixel.upscaling.pictures",
    "upscale_array": "subpixel.upscaling.pictures",
    "upscale_file": "subpixel.upscaling.files",
    "upscale_frames": "subpixel.upscaling.frames",
    "upscale_video": "subpixel.upscaling.video",
    "verify": "subpixel.rewriting.verifying",
}
_FOLDERS = {"algebra", "evaluate", "models", "nn", "runtime", "train"}


def __getattr__(name: str) -> object:
    # Whatever needs an import of more than a moment is imported when it is first asked for.
    if name in _FUNCTIONS:
        return getattr(import_module(_FUNCTIONS[name]), name)
    if name in _FOLDERS:
        return import_module(f"subpixel.{name}")
    raise AttributeError(f"module 'subpixel' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
