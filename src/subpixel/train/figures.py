"""What a weight file's header says of benchmarks: computed once, when the weights are final.

`python -m subpixel.train.figures WEIGHTS.safetensors FOLDER...` computes them again, for weights that are there.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from subpixel.errors import InputError, MissingExtra, UsageError, in_one_sentence
from subpixel.evaluate import PAPERS, evaluate
from subpixel.models.files import read_tensors, write_tensors
from subpixel.models.trained import read_weights


def write_figures(weights: Path, folders: Sequence[Path]) -> None:
    """Put the figures of benchmark sets into a weight file's header, in place of those that stand there.

    Raises:
        InputError: no weight file, or a folder without pictures.
    """
    scale = read_weights(weights).scale
    tensors, header = read_tensors(weights)
    write_tensors(weights, tensors, header | {"figures": [figure(weights, scale, folder) for folder in folders]})


def figure(weights: Path, scale: int, folder: Path) -> dict[str, object]:
    """PSNR in dB and SSIM under the papers' protocol, bicubic's beside them; in bf16 and int8 too, or None without the
    means.

    Raises:
        InputError: a folder without pictures, or with one that cannot be evaluated: the rest are not the set.
    """
    ours = evaluate(folder, weights, scale, protocol=PAPERS, runtime="onnxruntime", precision="f32")
    if ours["failures"]:
        count, first = len(ours["failures"]), ours["failures"][0]
        raise InputError(
            f"no figures of {folder}: {count} of its pictures cannot be evaluated, the first {first['name']}"
            f" ({first['error']}); the weights in {weights} are whole"
        )
    bicubic = evaluate(folder, "bicubic", scale, protocol=PAPERS)

    def lower(precision: str) -> float | None:
        try:
            result = evaluate(folder, weights, scale, protocol=PAPERS, runtime="openvino", precision=precision)
        except (UsageError, MissingExtra):
            return None
        return None if result["psnr"] is None else float(result["psnr"])

    return {
        "set": folder.resolve().name,
        "pictures": len(ours["images"]),
        "protocol": ours["protocol"],
        "psnr": ours["psnr"],
        "ssim": ours["ssim"],
        "bf16_psnr": lower("bf16"),
        "int8_psnr": lower("int8"),
        "bicubic_psnr": bicubic["psnr"],
        "bicubic_ssim": bicubic["ssim"],
    }


def main(arguments: Sequence[str]) -> None:
    """Put the figures of the folders into the header of the weight file that is named first.

    Raises:
        UsageError: no file, or no folder: the figures that stand there would go for nothing.
        InputError: as `write_figures`.
    """
    if len(arguments) < 2:
        raise UsageError("usage: python -m subpixel.train.figures WEIGHTS.safetensors FOLDER...")
    weights, *folders = map(Path, arguments)
    write_figures(weights, folders)


if __name__ == "__main__":
    with in_one_sentence(2):
        main(sys.argv[1:])
