"""Every model of the zoo, and what is known of weight files, as plain values: what `subpixel models` shows."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from subpixel.models.files import read_header
from subpixel.models.network import Network
from subpixel.models.published import PUBLISHED
from subpixel.models.trained import WEIGHTS, read_weights
from subpixel.models.zoo import ZOO, ModelDescriptor, build

SCALES = (2, 3, 4)
PIXELS_1080P = 1920 * 1080


def table() -> list[dict[str, Any]]:
    """Every model of the zoo.

    Keys: name, description, source, colour, value_range, border; scales (those with shipped weights; None for any
    integer); weights (a list of what `network_facts` gives, for scales 2, 3 and 4) and figures (a list of scale and
    what the header states of an evaluation set).
    """
    rows = [_row(name, descriptor) for name, descriptor in ZOO.items()]
    # Every header states what bicubic interpolation reaches beside its own figures.
    known = next(row["figures"] for row in rows if row["figures"])
    bicubic = [
        {**figure, "psnr": figure["bicubic_psnr"], "ssim": figure["bicubic_ssim"], "bf16_psnr": None, "int8_psnr": None}
        for figure in known
    ]
    return [row | {"figures": bicubic} if row["name"] == "bicubic" else row for row in rows]


def table_of(files: Sequence[Path]) -> list[dict[str, Any]]:
    """The same for weight files of `subpixel train`, a row a file: name is the file's, network the model's in the zoo.

    Raises:
        InputError: one that is missing, damaged, or no weight file.
    """
    rows = []
    for file in files:
        trained = read_weights(file)
        about = _about(trained.name, ZOO[trained.name])
        row = about | {"name": file.name, "network": trained.name, "scales": [trained.scale]}
        figures = [figure | {"scale": trained.scale} for figure in trained.header.get("figures") or []]
        rows.append(row | {"weights": [network_facts(trained.network, file)], "figures": figures})
    return rows


def network_facts(network: Network, file: Path | None) -> dict[str, Any]:
    """Of one network at one scale.

    Keys: scale, parameters, macs_per_lr_pixel, macs_1080p (for 1920×1080 pixels out), receptive_field in LR pixels;
    file and bytes, None where there are no weights; licences (of the training pictures, each with its number of
    pictures); published (PSNR in dB of the paper, by set).
    """
    published = {name: by_scale[network.scale] for name, by_scale in _published(network).items()}
    header = read_header(file) if file is not None else {}
    pictures = header.get("pictures") or []
    licences = Counter(picture.get("licence", "").partition(",")[0] or "not stated" for picture in pictures)
    return {
        "scale": network.scale,
        "parameters": network.parameter_count,
        "macs_per_lr_pixel": network.macs_per_lr_pixel,
        "macs_1080p": network.macs_per_lr_pixel * PIXELS_1080P // network.scale**2,
        "receptive_field": network.receptive_field,
        "file": file.name if file is not None else None,
        "bytes": file.stat().st_size if file is not None else None,
        "licences": dict(licences.most_common()),
        "published": published,
    }


def _published(network: Network) -> dict[str, dict[int, float]]:
    known = PUBLISHED.get(network.name, {})
    return {name: by_scale for name, by_scale in known.items() if network.scale in by_scale}


def _about(name: str, descriptor: ModelDescriptor) -> dict[str, Any]:
    return {
        "name": name,
        "description": descriptor.description,
        "source": descriptor.source,
        "colour": descriptor.colour,
        "value_range": list(descriptor.value_range),
        "border": descriptor.border,
    }


def _row(name: str, descriptor: ModelDescriptor) -> dict[str, Any]:
    weights, figures = [], []
    for scale in SCALES if descriptor.build else ():
        file = WEIGHTS / f"{name}_x{scale}.safetensors" if scale in descriptor.shipped else None
        weights.append(network_facts(build(name, scale), file))
        if file is not None:
            figures += [{"scale": scale, **figure} for figure in read_header(file).get("figures", [])]
    scales = list(descriptor.shipped) if descriptor.build else None
    return _about(name, descriptor) | {"scales": scales, "weights": weights, "figures": figures}
