"""Picture in, picture out: what `subpixel.upscale` does, for files, Pillow's images and arrays."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import InputError, UsageError
from subpixel.media.image import MAX_MEGAPIXELS, check_size, read_picture
from subpixel.media.picture import Picture, PictureRows, Pixels, from_array, from_pillow, from_rows, to_array, to_pillow
from subpixel.upscaling.choice import Upscalers
from subpixel.upscaling.strips import enlarged
from subpixel.upscaling.target import DEFAULT_MODEL, Target, checked_scale, factor_of, parse_size
from subpixel.upscaling.upscaler import Upscaler

if TYPE_CHECKING:
    from PIL.Image import Image


def upscale(
    image: "str | Path | Image | NDArray[Any]",
    scale: float | None = None,
    model: str | Path | Upscaler = DEFAULT_MODEL,
    *,
    size: str | tuple[int, int] | None = None,
    runtime: str = "auto",
    threads: int | None = None,
    precision: str = "auto",
    channels: int | None = None,
    value_range: int | None = None,
    colour: str | None = None,
    max_megapixels: float = MAX_MEGAPIXELS,
) -> "Image":
    """Enlarge a picture.

    Args:
        image: a file, a Pillow image, or an array of uint8 or uint16: [H, W], or [H, W, C] with C = 1 (grey),
            2 (grey, alpha), 3 (RGB) or 4 (RGBA).
        scale: any number above 1; default 3, or what a model file enlarges by. What no network enlarges by is
            resized, antialiased, from the next larger.
        model: a name of the zoo ("small", "bicubic", ...), a weight file, anybody's network as .onnx, or for many
            pictures what `open_upscaler` gives: then the other settings were given there.
        size: instead of a scale, width and height: (1920, 1080), "1920x1080", "1920x" or "x1080".
        runtime: "auto", "onnxruntime", "openvino" or "torch".
        threads: default: every physical core this process may use.
        precision: "f32", "bf16", "int8", or "auto": a lower one where it costs a model of ours next to nothing and is
            faster.
        channels, value_range, colour: what an ONNX file takes, where it cannot be found out;
            see `upscaler.open_upscaler`.
        max_megapixels: the largest result.

    Returns:
        A Pillow image of mode L, LA, RGB, RGBA or I;16, with the source's colour profile, EXIF and XMP in `.info`.
        Pillow has no other modes of 16 bits: for those take `upscale_array`, or `upscale_file` from file to file.

    Raises:
        UsageError: an impossible argument.
        InputError: the picture or the model file cannot be used.
        MissingExtra: the runtime is not installed.
    """
    settings = {
        "runtime": runtime,
        "threads": threads,
        "precision": precision,
        "channels": channels,
        "value_range": value_range,
        "colour": colour,
    }
    if isinstance(image, str | Path):
        picture = read_picture(Path(image), max_megapixels=max_megapixels)
    elif isinstance(image, np.ndarray):
        picture = from_array(image)
    elif hasattr(image, "getexif"):
        picture = _loaded(image)
    else:
        raise UsageError(f"a {type(image).__name__} is not a picture: give a path, a Pillow image or an array")
    return to_pillow(_enlarged(picture, scale, size, model, settings, max_megapixels))


def upscale_array(
    pixels: NDArray[Any],
    scale: float | None = None,
    model: str | Path | Upscaler = DEFAULT_MODEL,
    *,
    size: str | tuple[int, int] | None = None,
    max_megapixels: float = MAX_MEGAPIXELS,
    **settings: Any,
) -> Pixels:
    """Enlarge an array of uint8 or uint16, [H, W] or [H, W, C], into one of the same kind.

    Arguments and errors as of `upscale`; `settings` are runtime, threads, precision, channels, value_range, colour.
    """
    return to_array(_enlarged(from_array(np.asarray(pixels)), scale, size, model, settings, max_megapixels))


def enlarge(
    picture: Picture,
    upscaler: Upscaler,
    advance: Callable[[int], object] = lambda pixels: None,
    *,
    size: tuple[int, int] | None = None,
) -> Picture:
    """Enlarge a picture in memory tile by tile; see `strips.enlarged`. `size`: width and height, if resized after."""
    raster = picture.raster
    width, height = size or (raster.width * upscaler.scale, raster.height * upscaler.scale)
    out = np.empty((height, width, raster.channels), raster.dtype)
    first = 0
    for strip in enlarged(PictureRows(picture), upscaler, size=size, advance=advance):
        out[first : first + len(strip)] = strip
        first += len(strip)
    large = from_rows(out)
    return replace(picture, pixels=large.pixels, alpha=large.alpha)


def target_of(scale: float | None, size: str | tuple[int, int] | None) -> Target | None:
    """The target that the arguments name; None: what the model does by itself.

    Raises:
        UsageError: both, or an impossible one.
    """
    if size is not None:
        if scale is not None:
            raise UsageError(f"scale {scale} and size {size} contradict each other: leave one of them out")
        return parse_size(size if isinstance(size, str) else "x".join(map(str, size)))
    return None if scale is None else Target(checked_scale(scale))


Choose = Callable[[Target | None, tuple[int, int], tuple[int, int] | None], Upscaler]


def chooser(model: str | Path | Upscaler | Upscalers, settings: dict[str, Any]) -> Choose:
    """Gives the upscaler for a target and a picture's size."""
    if isinstance(model, Upscaler):

        def given(target: Target | None, small: tuple[int, int], large: tuple[int, int] | None) -> Upscaler:
            if target is not None and target.whole not in (None, model.scale):
                raise UsageError(f"{model.name} is open for ×{model.scale}, not ×{target.whole}: open another")
            return model

        return given
    upscalers = model if isinstance(model, Upscalers) else Upscalers(model, **settings)

    def chosen(target: Target | None, small: tuple[int, int], large: tuple[int, int] | None) -> Upscaler:
        if target is None or large is None:
            return upscalers.default()
        return upscalers.for_target(target, small, large)

    return chosen


def _fitted(picture: Picture, target: Target | None, choose: Choose) -> tuple[tuple[int, int], Upscaler]:
    """The result's size, and what enlarges."""
    small = (picture.raster.width, picture.raster.height)
    large = None if target is None else target.size(*small)
    upscaler = choose(target, small, large)
    return large or (small[0] * upscaler.scale, small[1] * upscaler.scale), upscaler


def _enlarged(
    picture: Picture,
    scale: float | None,
    size: str | tuple[int, int] | None,
    model: str | Path | Upscaler,
    settings: dict[str, Any],
    max_megapixels: float,
) -> Picture:
    large, upscaler = _fitted(picture, target_of(scale, size), chooser(model, settings))
    small = (picture.raster.width, picture.raster.height)
    check_size("the picture", small, float(factor_of(small, large)), max_megapixels)
    return enlarge(picture, upscaler, size=large)


def _loaded(image: "Image") -> Picture:
    """A Pillow image's pixels; it may have been opened lazily from a file that turns out to be damaged."""
    try:
        image.load()
        return from_pillow(image)
    except (InputError, MemoryError):
        raise
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, struct.error, ValueError, ...
        name = getattr(image, "filename", "") or "the picture"
        raise InputError(f"{name} is damaged or cut short ({error}): fetch it again") from error
