"""Reduce the bundled photo by three, enlarge it again with `subpixel upscale`, and compare with the original.

Writes demo-output/: small.png (what goes in), enlarged.png (what comes out), comparison.png (details side by side).
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from subpixel.evaluate import psnr
from subpixel.media.colour import luma
from subpixel.media.resample import imresize

HERE = Path(__file__).resolve().parent
OUT = HERE.parent / "demo-output"
SCALE = 3
DETAILS = ((100, 120), (330, 190))  # left, top of the windows shown in comparison.png
WINDOW, ZOOM = (132, 99), 3


def main() -> None:
    OUT.mkdir(exist_ok=True)
    original = np.asarray(Image.open(HERE / "colosseum.png").convert("RGB"))
    small = imresize(original, 1 / SCALE)
    Image.fromarray(small).save(OUT / "small.png")

    command = ["upscale", str(OUT / "small.png"), "-o", str(OUT / "enlarged.png"), "--scale", str(SCALE)]
    print("+ subpixel", " ".join(Path(word).name if "/" in word else word for word in command), file=sys.stderr)
    done = subprocess.run([sys.executable, "-m", "subpixel", *command, "--json"], stdout=subprocess.PIPE, check=False)
    if done.returncode:
        sys.exit(done.returncode)
    (output,) = json.loads(done.stdout)["outputs"]

    enlarged = np.asarray(Image.open(OUT / "enlarged.png").convert("RGB"))
    bicubic = imresize(small, SCALE)
    compare(small, bicubic, enlarged, original).save(OUT / "comparison.png")
    network_db, bicubic_db = (decibels(original, picture) for picture in (enlarged, bicubic))

    height, width = original.shape[:2]
    print(f"The picture:  {OUT / 'enlarged.png'}  ({width}×{height}, from {width // SCALE}×{height // SCALE})")
    print(f"Side by side: {OUT / 'comparison.png'}")
    print(f"The network took {output['ms_network']:.0f} ms of {output['ms_total']:.0f} ms.")
    print(
        f"PSNR of Y: {network_db:.2f} dB, bicubic {bicubic_db:.2f} dB: "
        f"{network_db - bicubic_db:+.2f} dB (peak 255, {SCALE} px shaved)."
    )


def decibels(original: np.ndarray, picture: np.ndarray) -> float:
    """PSNR of the rounded Y, `SCALE` pixels shaved off each side."""
    a, b = (np.round(luma(rgb.astype(np.float64)))[SCALE:-SCALE, SCALE:-SCALE] for rgb in (original, picture))
    return psnr(a, b)


def compare(small: np.ndarray, bicubic: np.ndarray, enlarged: np.ndarray, original: np.ndarray) -> Image.Image:
    """Details in four columns: the LR pixels, bicubic, the network, the original."""
    nearest = small.repeat(SCALE, 0).repeat(SCALE, 1)
    columns = {"low resolution": nearest, "bicubic": bicubic, "subpixel": enlarged, "original": original}
    width, height = WINDOW[0] * ZOOM, WINDOW[1] * ZOOM
    caption = 26
    sheet = Image.new("RGB", (len(columns) * (width + 6) - 6, len(DETAILS) * (height + 6) - 6 + caption), "white")
    draw = ImageDraw.Draw(sheet)
    for i, (name, picture) in enumerate(columns.items()):
        draw.text((i * (width + 6) + 4, 4), name, fill="black", font_size=17)
        for j, (left, top) in enumerate(DETAILS):
            detail = Image.fromarray(picture).crop((left, top, left + WINDOW[0], top + WINDOW[1]))
            shown = detail.resize((width, height), Image.Resampling.NEAREST)
            sheet.paste(shown, (i * (width + 6), j * (height + 6) + caption))
    return sheet


if __name__ == "__main__":
    main()
