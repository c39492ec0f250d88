"""Clips of videos: frames decoded, some of them taken, brought to a size and cut out; their optical flow."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from caffe2.opdef import EnforceNotMet

MOST_FRAMES = 10_000
"""Frames of a video that are looked at."""

WIDTH_HEIGHT, SHORT_EDGE, ORIGINAL = range(3)
"""Kinds of resolution, the argument video_res_type."""

JITTER, UNIFORM, START = range(3)
"""Ways to choose where clips begin, the argument decode_type."""

FARNEBACK, _, _, TVL1 = range(4)
"""Algorithms of optical flow, the argument flow_alg_type, that OpenCV has on the CPU."""


class Size(NamedTuple):
    """How large frames become: `height` x `width`, or their shorter side `short`, or stay, but at least `crop`."""

    kind: int
    height: int
    width: int
    short: int
    crop: int

    def of(self, height: int, width: int) -> tuple[int, int]:
        """The height and width that frames of this height and width are brought to."""
        if self.kind == WIDTH_HEIGHT:
            return self.height, self.width
        side = self.short if self.kind == SHORT_EDGE else self.crop
        if self.kind == ORIGINAL and min(height, width) >= side:
            return height, width
        if height >= width:
            return math.ceil(np.float32(height) / np.float32(width) * side), side
        return side, math.ceil(side / (np.float32(height) / np.float32(width)))


def frames(video: bytes | str, size: Size, choose: Any) -> list[np.ndarray]:
    """Clips of a video, each uint8 (T, H, W, 3), red first.

    video: the bytes of a file, or its path. choose: a function of the count of frames that says for each clip which
    frames it has; one behind the last is the last.
    Raises EnforceNotMet for what is no video, or without the package that decodes it.
    """
    try:
        import av
    except ImportError:
        raise EnforceNotMet(
            "VideoInput decodes videos with the package av, which is not installed: pip install av"
        ) from None
    try:
        with av.open(io.BytesIO(video) if isinstance(video, bytes) else video) as container:
            if not container.streams.video:
                raise EnforceNotMet("the file has no video, only other streams")
            count = sum(1 for _ in _decoded(container))
            if not count:
                raise EnforceNotMet("the video has no frames")
            clips = [[min(at, count - 1) for at in clip] for clip in choose(count)]
            container.seek(0)
            wanted = {at for clip in clips for at in clip}
            held = {}
            for at, frame in enumerate(_decoded(container)):
                if at in wanted:
                    high, wide = size.of(frame.height, frame.width)
                    held[at] = frame.to_ndarray(format="rgb24", width=wide, height=high, interpolation="FAST_BILINEAR")
                if len(held) == len(wanted):
                    break
            return [np.stack([held[at] for at in clip]) for clip in clips]
    except (av.error.FFmpegError, OSError, ValueError) as error:
        what = "a video in the record" if isinstance(video, bytes) else f"the video {video!r}"
        raise EnforceNotMet(f"{what} cannot be decoded: {error}") from None


def _decoded(container: Any) -> Iterator[Any]:
    for at, frame in enumerate(container.decode(video=0)):
        if at >= MOST_FRAMES:
            return
        yield frame


def starts(count: int, needed: int, clips: int, positions: Sequence[int]) -> list[int]:
    """Where clips of `needed` frames begin: at `positions`, else evenly over a video of `count` frames."""
    if positions:
        return list(positions)
    last = max(count - needed, 0)
    return [k * last // max(clips - 1, 1) for k in range(clips)]


def corner(height: int, width: int, crop: int, at: int, crops: int) -> tuple[int, int]:
    """Top and left of crop `at` of several, which lie evenly along the longer side; of a single one, at the center."""
    top, left = (height - crop) // 2, (width - crop) // 2
    if crops == 1:
        return top, left
    if height < width:
        return top, at * (width - crop) // (crops - 1)
    return at * (height - crop) // (crops - 1), left


def flow(images: np.ndarray, algorithm: int) -> np.ndarray:
    """The optical flow from the first of some images to the last, (H, W, 2), float32, through those between.

    images: uint8 (T, H, W, 3), red first. Where a point is carried by one flow, the next one is read.
    Raises EnforceNotMet for an algorithm that is not there.
    """
    import cv2  # what calls this has made sure of it

    if algorithm == FARNEBACK:

        def between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
            flags = cv2.OPTFLOW_FARNEBACK_GAUSSIAN
            return cv2.calcOpticalFlowFarneback(a, b, None, math.sqrt(0.5), 5, 10, 2, 7, 1.5, flags)
    else:
        between = cv2.optflow.DualTVL1OpticalFlow_create().calc

    grays = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in images]
    whole = np.zeros((*grays[0].shape, 2), np.float32)
    rows, columns = np.indices(grays[0].shape)
    for a, b in zip(grays, grays[1:]):
        step = between(a, b)
        y = (rows + whole[..., 1]).round().astype(int).clip(0, len(rows) - 1)
        x = (columns + whole[..., 0]).round().astype(int).clip(0, rows.shape[1] - 1)
        whole += step[y, x]
    return whole


def demand_flow(algorithm: int) -> None:
    """Raise EnforceNotMet unless optical flow can be computed by this algorithm here."""
    try:
        import cv2
    except ImportError:
        what = "the optical flow needs OpenCV, which is not installed: pip install opencv-python-headless"
        raise EnforceNotMet(f"VideoInput: {what}") from None
    there = algorithm == FARNEBACK or (
        algorithm == TVL1 and hasattr(getattr(cv2, "optflow", None), "DualTVL1OpticalFlow_create")
    )
    if not there:
        what = "flow_alg_type is 0 (Farneback), or 3 (TV-L1) with opencv-contrib"
        raise EnforceNotMet(f"VideoInput: {what}; it is {algorithm}")
