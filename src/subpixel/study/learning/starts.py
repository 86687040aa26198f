"""Three starts of a network that enlarges in its last layer, and the checkerboard that each leaves."""

from typing import Any

import numpy as np
import torch

from subpixel.algebra import PeriodicShuffle, Resize, checkerboard_index, compose, convolution, lift
from subpixel.models.module import NetworkModule
from subpixel.models.network import Convolution, Network
from subpixel.study.families import build
from subpixel.train.initialise import initialise

LEVELS = (0.1, 0.3, 0.5, 0.7, 0.9)
NOISE = 4 / 255
SIDE = 64
MARGIN = 8
DRAWS = 8


def draw(start: str, scale: int, widths: tuple[int, ...], seed: int) -> NetworkModule:
    """A network with its first weights; all starts share those of the layers before the last."""
    module = NetworkModule(build("resize-last" if start == "resize" else "shuffle-last", scale, widths))
    initialise(module, seed)
    if start == "random":
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            last = module.weight(f"{_last(module.network).name}.weight")
            torch.nn.init.kaiming_normal_(last, nonlinearity="relu", generator=generator)
            last.mul_(0.1)  # as `initialise` makes every last layer smaller
    return module


def _last(network: Network) -> Convolution:
    return [step for step in network.steps if isinstance(step, Convolution)][-1]


def checkerboard(module: NetworkModule) -> dict[str, Any]:
    """How uneven a network's output is where its input is not.

    Returns:
        JSON values: index (the checkerboard index of the layer that enlarges, law A14), ripple (the largest difference
        between phases that the whole network makes of flat pictures, in 8-bit steps), frequencies and spectrum (mean
        power in dB along rows and columns, of the output for a flat picture with a little noise, less its mean) and
        peak_db (that at the multiples of 1/r over the mean of the two places beside each; the greatest).
    """
    r = module.network.scale
    spectrum = _spectrum(module)
    n = 2 * (len(spectrum) - 1)
    peaks = [n * k // r for k in range(1, r // 2 + 1)]
    beside = [np.mean([spectrum[at - 2], spectrum[min(at + 2, n - at - 2)]]) for at in peaks]
    return {
        "index": round(layer_index(module), 6),
        "ripple": round(_ripple(module), 4),
        "frequencies": [round(k / n, 5) for k in range(len(spectrum))],
        "spectrum": [round(10 * float(np.log10(value)), 2) for value in spectrum],
        "peak_db": round(float(max(10 * np.log10(spectrum[at] / b) for at, b in zip(peaks, beside, strict=True))), 2),
    }


def layer_index(module: NetworkModule) -> float:
    """The checkerboard index of the layer that enlarges, with the convolution of a resize-convolution in it."""
    r, layer = module.network.scale, _last(module.network)
    weight, bias = (module.weight(f"{layer.name}.{part}").detach().double().numpy() for part in ("weight", "bias"))
    conv = lift(convolution(weight, bias, padding=layer.kernel // 2))
    if layer.outputs == r * r:
        whole = compose(lift(PeriodicShuffle(1, (r, r))), conv)
    else:
        whole = compose(conv, lift(Resize(layer.inputs, (r, r), "nearest")))
    return checkerboard_index(whole.interior)


def _ripple(module: NetworkModule) -> float:
    """Flat pictures in; the largest difference within the middle of what comes out."""
    r, worst = module.network.scale, 0.0
    for level in LEVELS:
        with torch.no_grad():
            y = module(torch.full((1, 1, 4 * MARGIN, 4 * MARGIN), level))[0, 0]
        inside = y[MARGIN * r : -MARGIN * r, MARGIN * r : -MARGIN * r]
        worst = max(worst, 255 * float(inside.max() - inside.min()))
    return worst


def _spectrum(module: NetworkModule) -> np.ndarray:
    """Mean power along both axes at 0 … 1/2, of the output for 0.5 and noise, the border cut off."""
    r = module.network.scale
    rng = np.random.default_rng(0)
    x = (0.5 + NOISE * rng.standard_normal((DRAWS, 1, SIDE + 2 * MARGIN, SIDE + 2 * MARGIN))).astype(np.float32)
    with torch.no_grad():
        y = module(torch.from_numpy(x))[:, 0].double().numpy()
    y = y[:, MARGIN * r : -MARGIN * r, MARGIN * r : -MARGIN * r]
    y = y - y.mean(axis=(1, 2), keepdims=True)
    power = sum((np.abs(np.fft.rfft(one, axis=-1)) ** 2).mean(axis=(0, 1)) for one in (y, y.swapaxes(1, 2)))
    return np.asarray(power / (2 * y.shape[-1]) + 1e-20)
