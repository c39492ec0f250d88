"""Pictures of tensors: patches of an image or a filter bank, side by side. Needs matplotlib."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

try:
    from matplotlib import pyplot
except ImportError:
    pyplot = None


def ChannelFirst(arr: np.ndarray) -> np.ndarray:
    """The last three axes from height, width, channel to channel, height, width."""
    return np.moveaxis(arr, -1, -3)


def ChannelLast(arr: np.ndarray) -> np.ndarray:
    """The last three axes from channel, height, width to height, width, channel."""
    return np.moveaxis(arr, -3, -1)


class PatchVisualizer:
    """Draws patches, `gap` pixels apart, and gives the drawn array."""

    def __init__(self, gap: int = 1) -> None:
        self.gap = gap

    def ShowSingle(self, patch: np.ndarray, cmap: Any = None) -> np.ndarray:
        """Draw one patch: [height, width], [height, width, 3], or a vector whose shape `get_patch_shape` finds."""
        if patch.ndim == 1:
            patch = patch.reshape(self.get_patch_shape(patch))
        elif patch.ndim not in (2, 3) or patch.shape[2:] not in ((), (3,)):
            raise ValueError(f"a patch is [height, width] or [height, width, 3], not {list(patch.shape)}")
        _draw(patch, cmap)
        return patch

    def ShowMultiple(
        self,
        patches: np.ndarray,
        ncols: int | None = None,
        cmap: Any = None,
        bg_func: Callable[[np.ndarray], float] = np.mean,
    ) -> np.ndarray:
        """Draw patches in rows of `ncols`, by default in about a square, on a ground of value `bg_func(patches)`.

        `patches` is [n, height, width], with a last axis of 1 or 3 channels or without; or [n, values], and
        `get_patch_shape` finds the shape.
        """
        image = self._tile(patches, ncols, bg_func)
        _draw(image, cmap, interpolation="nearest")
        pyplot.axis("off")
        return image

    def ShowImages(self, patches: np.ndarray, *args: Any, **kwargs: Any) -> np.ndarray:
        """ShowMultiple with all values shifted and scaled to [0, 1]."""
        shifted = patches - np.min(patches)
        return self.ShowMultiple(shifted / (np.max(shifted) + np.finfo(np.float64).eps), *args, **kwargs)

    def ShowChannels(
        self, patch: np.ndarray, cmap: Any = None, bg_func: Callable[[np.ndarray], float] = np.mean
    ) -> np.ndarray:
        """Draw every channel of a patch [height, width, channels] as a gray patch."""
        if patch.ndim != 3:
            raise ValueError(f"a patch with channels is [height, width, channels], not {list(patch.shape)}")
        return self.ShowMultiple(ChannelFirst(patch), cmap=cmap, bg_func=bg_func)

    def get_patch_shape(self, patch: np.ndarray) -> tuple[int, ...]:
        """The square shape of so many values: one channel where that is possible, else three."""
        for channels in ((), (3,)):
            edge = int(np.sqrt(patch.size / np.prod(channels, dtype=int)))
            if np.prod((edge, edge, *channels)) == patch.size:
                return (edge, edge, *channels)
        raise ValueError(f"{patch.size} values are neither a square of one channel nor of three")

    def _tile(self, patches: np.ndarray, ncols: int | None, bg_func: Callable[[np.ndarray], float]) -> np.ndarray:
        if patches.ndim == 2:
            patches = patches.reshape(len(patches), *self.get_patch_shape(patches[0]))
        if patches.shape[3:] == (1,):
            patches = patches[..., 0]
        if patches.ndim < 3 or patches.shape[3:] not in ((), (3,)):
            raise ValueError(f"patches are [n, height, width] with 1 or 3 channels last, not {list(patches.shape)}")
        ncols = ncols or int(np.ceil(np.sqrt(len(patches))))
        nrows = -(-len(patches) // ncols)
        height, width = patches.shape[1] + self.gap, patches.shape[2] + self.gap
        image = np.full(
            (nrows * height - self.gap, ncols * width - self.gap, *patches.shape[3:]), bg_func(patches), float
        )
        for i, patch in enumerate(patches):
            top, left = i // ncols * height, i % ncols * width
            image[top : top + patch.shape[0], left : left + patch.shape[1]] = patch
        return image


def _draw(image: np.ndarray, cmap: Any, **options: Any) -> None:
    if pyplot is None:
        raise ImportError("drawing tensors needs matplotlib: pip install matplotlib")
    pyplot.imshow(image, cmap="gray" if cmap is None and image.ndim == 2 else cmap, **options)


_visualizer = PatchVisualizer()


class NHWC:
    """The methods of PatchVisualizer for arrays with the channel last; they give nothing."""

    @staticmethod
    def ShowSingle(*args: Any, **kwargs: Any) -> None:
        _visualizer.ShowSingle(*args, **kwargs)

    @staticmethod
    def ShowMultiple(*args: Any, **kwargs: Any) -> None:
        _visualizer.ShowMultiple(*args, **kwargs)

    @staticmethod
    def ShowImages(*args: Any, **kwargs: Any) -> None:
        _visualizer.ShowImages(*args, **kwargs)

    @staticmethod
    def ShowChannels(*args: Any, **kwargs: Any) -> None:
        _visualizer.ShowChannels(*args, **kwargs)


class NCHW:
    """The methods of PatchVisualizer for arrays with the channel before height and width; they give nothing."""

    @staticmethod
    def ShowSingle(patch: np.ndarray, *args: Any, **kwargs: Any) -> None:
        NHWC.ShowSingle(ChannelLast(patch), *args, **kwargs)

    @staticmethod
    def ShowMultiple(patch: np.ndarray, *args: Any, **kwargs: Any) -> None:
        NHWC.ShowMultiple(ChannelLast(patch), *args, **kwargs)

    @staticmethod
    def ShowImages(patch: np.ndarray, *args: Any, **kwargs: Any) -> None:
        NHWC.ShowImages(ChannelLast(patch), *args, **kwargs)

    @staticmethod
    def ShowChannels(patch: np.ndarray, *args: Any, **kwargs: Any) -> None:
        NHWC.ShowChannels(ChannelLast(patch), *args, **kwargs)
