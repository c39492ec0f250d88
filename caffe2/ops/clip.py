"""Values kept within an interval.

X: of any shape.
Y: of the shape of X.
min, max: the ends of the interval; unless given, there is no bound.
"""

from __future__ import annotations

from torch import Tensor

from caffe2.opdef import EnforceNotMet, op

LARGEST = 3.4028234663852886e38


@op("Clip: X -> Y", inplace=None, gradient="ClipGradient: Y dY -> dX", types="X: floating", like="X")
def clip(x: Tensor, *, min: float = -LARGEST, max: float = LARGEST) -> Tensor:
    """Y = X, no less than min and no more than max."""
    return x.clamp(min, max)


@op("ClipGradient: Y dY -> dX", inplace="dY -> dX", types="Y dY: floating", like="dY")
def clip_gradient(y: Tensor, dy: Tensor, *, min: float = -LARGEST, max: float = LARGEST) -> Tensor:
    """dX = dY where min < Y < max, else 0."""
    if y.shape != dy.shape:
        raise EnforceNotMet(f"Y and dY have one shape, got {[*y.shape]} and {[*dy.shape]}")
    return dy * ((y > min) & (y < max))
