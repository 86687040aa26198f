"""Picture in, picture out: what `subpixel.upscale` and `subpixel upscale` do."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import UsageError
from subpixel.media.alpha import fill_transparent, limit_to_surroundings
from subpixel.media.image import MAX_MEGAPIXELS, check_size, read_picture
from subpixel.media.picture import Picture, Pixels, from_array, from_pillow, to_pillow
from subpixel.media.tiles import Tile, balanced, cut
from subpixel.upscaling.upscaler import Upscaler, open_upscaler

if TYPE_CHECKING:
    from PIL.Image import Image

_CUBIC_HALO = 3  # LR pixels that bicubic interpolation of colour and alpha looks at, rounded up


def upscale(
    image: "str | Path | Image | NDArray[np.uint8]",
    scale: int | None = None,
    model: str | Path | Upscaler = "espcn",
    *,
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
        image: a file, a Pillow image, or an array: uint8 [H, W], [H, W, 3] or [H, W, 4], or uint16 [H, W].
        scale: default 3, or what an ONNX file enlarges by.
        model: a name of the zoo ("espcn", "bicubic", ...), a weight file, anybody's network as .onnx, or for many
            pictures what `open_upscaler` gives: then the other settings were given there.
        runtime: "auto", "onnxruntime", "openvino" or "torch".
        threads: default: every physical core this process may use.
        precision: "auto" (f32), "f32" or "bf16".
        channels, value_range, colour: what an ONNX file takes, where it cannot be found out;
            see `upscaler.open_upscaler`.
        max_megapixels: the largest result.

    Returns:
        A Pillow image of mode L, LA, RGB, RGBA or I;16, with the source's colour profile and EXIF in `.info`.

    Raises:
        UsageError: an impossible argument.
        InputError: the picture or the model file cannot be used.
        MissingExtra: the runtime is not installed.
    """
    if isinstance(model, Upscaler):
        upscaler = model
        if scale not in (None, upscaler.scale):
            raise UsageError(f"{upscaler.name} is open for ×{upscaler.scale}, not ×{scale}: open another")
    else:
        upscaler = open_upscaler(
            model,
            scale,
            runtime=runtime,
            threads=threads,
            precision=precision,
            channels=channels,
            value_range=value_range,
            colour=colour,
        )
    if isinstance(image, str | Path):
        picture = read_picture(Path(image), scale=upscaler.scale, max_megapixels=max_megapixels)
    elif isinstance(image, np.ndarray):
        picture = from_array(image)
    elif hasattr(image, "getexif"):
        picture = from_pillow(image)
    else:
        raise UsageError(f"a {type(image).__name__} is not a picture: give a path, a Pillow image or an array")
    height, width = picture.pixels.shape[:2]
    check_size("the picture", (width, height), upscaler.scale, max_megapixels)
    return to_pillow(enlarge(picture, upscaler))


def enlarge(picture: Picture, upscaler: Upscaler, advance: Callable[[], object] = lambda: None) -> Picture:
    """Enlarge a picture tile by tile, so that memory grows with the result and not with the network's maps.

    `advance` is called after each of its `tile_count` tiles. Grey stays grey, 16 bits stay 16; alpha
    goes through the network as a grey picture does, and the colours under it are filled in first.
    """
    scale, alpha = upscaler.scale, picture.alpha
    source: NDArray[Any] = picture.pixels
    if alpha is not None:
        source = fill_transparent(picture.pixels, alpha)
    height, width = source.shape[:2]
    out = np.empty((height * scale, width * scale, *source.shape[2:]), picture.pixels.dtype)
    shown = None if alpha is None else np.full(out.shape[:2], alpha.flat[0], alpha.dtype)
    translucent = alpha is not None and bool((alpha != alpha.flat[0]).any())
    for rows, columns in _tiles((height, width), upscaler):
        area = slice(rows.start, rows.stop), slice(columns.start, columns.stop)
        kept = rows.kept(scale), columns.kept(scale)
        target = rows.target(scale), columns.target(scale)
        run = upscaler.upscale_grey if picture.is_grey else upscaler.upscale_rgb
        _store(out[target], run(_floats(source[area], picture.white))[kept])
        if alpha is not None and shown is not None and translucent:
            small = _floats(alpha[area], picture.white)
            large = limit_to_surroundings(upscaler.upscale_grey(small), small, scale)
            _store(shown[target], large[kept])
        advance()
    return replace(picture, pixels=out, alpha=shown)


def tile_count(size: tuple[int, int], upscaler: Upscaler) -> int:
    """How many tiles `enlarge` cuts a picture of this size into; height and width in either order."""
    return sum(1 for _ in _tiles(size, upscaler))


def _tiles(size: tuple[int, int], upscaler: Upscaler) -> Iterator[tuple[Tile, Tile]]:
    window, halo = upscaler.tile
    halo = max(halo, _CUBIC_HALO)
    return cut(size, [balanced(length, window, halo) for length in size], halo)


def _floats(pixels: NDArray[Any], white: int) -> NDArray[np.float32]:
    """Pixels as float32 in 0..255."""
    values = pixels.astype(np.float32)
    return values if white == 255 else values * np.float32(255 / white)


def _store(target: Pixels, values: NDArray[np.float32]) -> None:
    """Round float32 in 0..255 into a part of the result."""
    white = np.iinfo(target.dtype).max
    planes = values[..., None] if values.ndim == 2 else values
    for channel in range(planes.shape[2]):  # by channel: the values are planes in memory
        plane = planes[..., channel] if white == 255 else planes[..., channel] * np.float32(white / 255)
        rounded = np.rint(np.clip(plane, 0, white)).astype(target.dtype)
        if values.ndim == 2:
            target[...] = rounded
        else:
            target[..., channel] = rounded
