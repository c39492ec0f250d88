"""Images as Caffe's data layers see them: decoded, resized, cropped, mirrored, their mean subtracted, scaled."""

from __future__ import annotations

import io

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from caffe2.opdef import EnforceNotMet, Op

Size = tuple[int, int]


def decoded(source: bytes | str, color: bool | None) -> Tensor:
    """An image file, or its bytes, as uint8 [C, H, W], channels blue, green, red, or gray; by itself says which.

    color: whether to make it one of colors; None: as the file has it. Raises EnforceNotMet for what is no image.
    """
    try:
        from PIL import Image
    except ImportError:
        raise EnforceNotMet("reading images needs Pillow: pip install pillow") from None
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
            gray = image.mode in ("1", "L", "I", "F", "I;16") if color is None else not color
            pixels = np.array(image.convert("L" if gray else "RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        name = source if isinstance(source, str) else "a record's image"
        raise EnforceNotMet(f"{name} cannot be read: {error}") from None
    planes = pixels[None] if gray else pixels[:, :, ::-1].transpose(2, 0, 1)
    return torch.from_numpy(np.ascontiguousarray(planes))


def resized(image: Tensor, size: Size) -> Tensor:
    """uint8 [C, H, W] brought to a size bilinearly, centers on centers, and rounded, as OpenCV does."""
    return F.interpolate(image[None].float(), size, mode="bilinear", align_corners=False)[0].round().to(torch.uint8)


class Pictures(Op):
    """Base of operators that give batches of images with labels: (image - mean) * scale, cropped.

    mean: the mean image, (C, H, W), of the size of the images before they are cropped; none is 0.
    data: (batch_size, C, H, W), float32.
    label: (batch_size), float32.
    batch_size: how many images a run gives; behind the last the first follows.
    crop_size: height and width of what is cut out, at the center, or anywhere with train; 0 for the whole image.
    mirror: every image is mirrored with probability 1/2.
    scale: the factor.
    mean_value: one number, or one a channel, to subtract.
    train: crops are taken anywhere.
    """

    batch_size: int = 1
    crop_size: int = 0
    mirror: bool = False
    scale: float = 1.0
    mean_value: tuple[float, ...] = ()
    train: bool = False
    generator: torch.Generator
    device: torch.device

    def __call__(self, mean: Tensor | None = None) -> tuple[Tensor, Tensor]:
        images, labels = [], []
        for _ in range(self.batch_size):
            image, label = self.following()
            images.append(self._transformed(image, mean))
            labels.append(float(label))
        if len({image.shape for image in images}) > 1:
            raise EnforceNotMet("images of different sizes in one batch: give crop_size, or a size to bring them to")
        return torch.stack(images).to(self.device), torch.tensor(labels, device=self.device)

    def following(self) -> tuple[Tensor, int]:
        """The next image, [C, H, W], and its label."""
        raise NotImplementedError

    def chance(self, count: int) -> int:
        """A random number below `count`."""
        return int(torch.randint(count, (), generator=self.generator))

    def _transformed(self, image: Tensor, mean: Tensor | None) -> Tensor:
        values = image.float() - self._mean(image, mean)
        size = self.crop_size
        if size:
            if size > min(image.shape[1:]):
                raise EnforceNotMet(f"crop_size is {size} and an image is {image.shape[1]} x {image.shape[2]}")
            room = [n - size for n in image.shape[1:]]
            top, left = (self.chance(r + 1) if self.train else r // 2 for r in room)
            values = values[:, top : top + size, left : left + size]
        if self.mirror and self.chance(2):
            values = values.flip(2)
        return values * self.scale

    def _mean(self, image: Tensor, mean: Tensor | None) -> Tensor | float:
        if mean is not None:
            if mean.shape[-3:] != image.shape:
                raise EnforceNotMet(f"the mean is {tuple(mean.shape)} and an image {tuple(image.shape)}")
            return mean.cpu().reshape(image.shape)
        if len(self.mean_value) not in (0, 1, image.shape[0]):
            raise EnforceNotMet(f"{len(self.mean_value)} mean_values for {image.shape[0]} channels")
        return torch.tensor(self.mean_value or (0.0,)).reshape(-1, 1, 1)
