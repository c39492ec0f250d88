"""What stands before and after networks that restyle photographs: from packed pixels to planes and back."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe2.opdef import EnforceNotMet, Op, Site, op
from caffe2.ops import demand

NOISE = "__CAFFE2_STYLIZER_NOISE__"
"""The blob that keeps the noise, so that it is the same for every picture of a film."""


def _demand(x: Tensor, channels: int, axis: int, mean: Tensor) -> None:
    demand.rank(x, 4, "X")
    if x.shape[axis] != channels:
        raise EnforceNotMet(f"X has {x.shape[axis]} channels, not {channels}: {[*x.shape]}")
    if mean.numel() != 3:
        raise EnforceNotMet(f"mean holds 3 numbers, for blue, green and red, not {mean.numel()}")


def _planes(x: Tensor, mean: Tensor) -> Tensor:
    _demand(x, 4, -1, mean)
    return x.new_empty((x.shape[0], 3, *x.shape[1:3]), dtype=torch.float32)


@op(
    "PackedInt8BGRANHWCToNCHWCStylizerPreprocess: X mean -> Y",
    types="X: uint8, mean: float",
    shape=_planes,
    random=True,
)
class Preprocess(Op):
    """Y = X - mean + noise, pixels made planes.

    The noise is normal, drawn once, and repeats along the channels of the pixels, pixel after pixel; each picture
    starts it anew.

    X: (N, H, W, 4), uint8: blue, green, red, alpha.
    mean: (3).
    Y: (N, 3, H, W), float32.
    noise_std: the standard deviation of the noise.
    noise_size: after how many values it repeats.
    """

    noise_std: float = 10.0
    noise_size: int = 491

    def bind(self, site: Site) -> None:
        self.site = site
        if self.noise_size < 1:
            raise EnforceNotMet(f"noise_size is positive, not {self.noise_size}")
        self.kept = site.workspace.cell(NOISE)

    def __call__(self, x: Tensor, mean: Tensor) -> Tensor:
        _demand(x, 4, -1, mean)
        pixels = x[..., :3].float() - mean.reshape(3)
        noise = self._noise().to(x.device)
        repeated = noise[torch.arange(pixels.shape[1:].numel(), device=x.device) % self.noise_size]
        return (pixels + repeated.view(pixels.shape[1:])).permute(0, 3, 1, 2).contiguous()

    def _noise(self) -> Tensor:
        if not isinstance(self.kept.value, Tensor):
            self.kept.value = torch.randn(self.noise_size, generator=self.site.generator, device="cpu") * self.noise_std
        if self.kept.value.numel() < self.noise_size:
            raise EnforceNotMet(f"{NOISE} holds {self.kept.value.numel()} values, fewer than noise_size")
        return self.kept.value.reshape(-1)


@op("BRGNCHWCToPackedInt8BGRAStylizerDeprocess: X mean -> Y", types="X mean: float")
def deprocess(x: Tensor, mean: Tensor) -> Tensor:
    """Y = X + mean, cut to 0 .. 255 and its fraction dropped, as pixels with alpha 255.

    X: (N, 3, H, W), float32: blue, green, red.
    mean: (3).
    Y: (N, H, W, 4), uint8: blue, green, red, alpha.
    """
    _demand(x, 3, 1, mean)
    pixels = (x + mean.view(3, 1, 1)).clamp(0, 255).permute(0, 2, 3, 1)
    return torch.nn.functional.pad(pixels, (0, 1), value=255.0).to(torch.uint8)
