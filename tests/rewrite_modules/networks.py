"""Small networks of the kinds that people rewrite. Channel counts differ everywhere, so that a swap shows."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Block(nn.Module):
    """Two convolutions with ReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(outputs, outputs, 3, padding=1)
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.layers(x))


class TransposedUNet(nn.Module):
    """Two levels, transposed convolutions 2×2 and 4×4, skips concatenated after them."""

    def __init__(self, norm: bool = False) -> None:
        super().__init__()
        self.encode1, self.encode2, self.middle = Block(2, 4), Block(4, 6), Block(6, 8)
        self.up2 = nn.ConvTranspose2d(8, 5, 2, stride=2)
        self.decode2 = Block(5 + 6, 7)
        self.up1 = nn.ConvTranspose2d(7, 3, 4, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(3) if norm else nn.Identity()
        self.decode1 = Block(3 + 4, 5)
        self.head = nn.Conv2d(5, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        e1 = self.encode1(x)
        e2 = self.encode2(F.max_pool2d(e1, 2))
        m = self.middle(F.max_pool2d(e2, 2))
        d2 = self.decode2(torch.cat([self.up2(m), e2], 1))
        d1 = self.decode1(torch.cat([self.norm(self.up1(d2)), e1], 1))
        return self.head(d1)


class NearestUNet(nn.Module):
    """Nearest, concatenation, 3×3 convolution; the second level asks for the skip's size."""

    def __init__(self) -> None:
        super().__init__()
        self.encode1, self.encode2, self.middle = Block(2, 4), Block(4, 6), Block(6, 8)
        self.up = nn.Upsample(scale_factor=2)
        self.decode2 = nn.Conv2d(8 + 6, 7, 3, padding=1)
        self.decode1 = nn.Conv2d(7 + 4, 5, 3, padding=1, bias=False)
        self.head = nn.Conv2d(5, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        e1 = self.encode1(x)
        e2 = self.encode2(F.max_pool2d(e1, 2))
        m = self.middle(F.max_pool2d(e2, 2))
        d2 = F.relu(self.decode2(torch.cat((self.up(m), e2), dim=1)))
        up = F.interpolate(d2, size=e1.shape[2:])
        return self.head(F.relu(self.decode1(torch.cat([e1, up], 1))))


class Vocoder(nn.Module):
    """HiFi-GAN's generator in small: weight-normed transposed convolutions with K > s, dilated residuals."""

    def __init__(self) -> None:
        super().__init__()
        norm = nn.utils.parametrizations.weight_norm
        self.first = norm(nn.Conv1d(5, 8, 7, padding=3))
        self.ups = nn.ModuleList(
            [
                norm(nn.ConvTranspose1d(8, 6, 8, stride=4, padding=2)),
                norm(nn.ConvTranspose1d(6, 4, 5, stride=3, padding=1)),
            ]
        )
        self.blocks = nn.ModuleList(
            [norm(nn.Conv1d(6, 6, 3, dilation=3, padding=3)), norm(nn.Conv1d(4, 4, 3, dilation=2, padding=2))]
        )
        self.last = norm(nn.Conv1d(4, 1, 7, padding=3))

    def forward(self, mel: Tensor) -> Tensor:
        x = self.first(mel)
        for up, block in zip(self.ups, self.blocks, strict=True):
            x = up(F.leaky_relu(x, 0.1))
            x = x + block(F.leaky_relu(x, 0.1))
        return torch.tanh(self.last(F.leaky_relu(x)))


class Decoder3d(nn.Module):
    """Three axes: a transposed convolution, then trilinear + convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.up1 = nn.ConvTranspose3d(4, 3, 3, stride=2, padding=1, output_padding=1)
        self.up2 = nn.Upsample(scale_factor=(1, 2, 2), mode="trilinear")
        self.conv = nn.Conv3d(3, 2, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(self.up2(F.relu(self.up1(x))))


class Recursive(nn.Module):
    """DRCN in small: one convolution and one upsampling head, each called many times."""

    def __init__(self, times: int = 16) -> None:
        super().__init__()
        self.embed = nn.Conv2d(1, 6, 3, padding=1)
        self.recursion = nn.Conv2d(6, 6, 3, padding=1)
        self.head = nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(6, 1, 3, padding=1))
        self.weights = nn.Parameter(torch.full((times,), 1 / times))
        self.times = times

    def forward(self, x: Tensor) -> Tensor:
        h = F.relu(self.embed(x))
        out = 0
        for t in range(self.times):
            h = F.relu(self.recursion(h))
            out = out + self.weights[t] * self.head(h)
        return out


NETWORKS = {
    "transposed": (TransposedUNet, (2, 2, 12, 16)),
    "nearest": (NearestUNet, (2, 2, 12, 16)),
    "vocoder": (Vocoder, (2, 5, 11)),
    "3-D": (Decoder3d, (2, 4, 3, 4, 5)),
    "recursive": (Recursive, (2, 1, 5, 7)),
}
