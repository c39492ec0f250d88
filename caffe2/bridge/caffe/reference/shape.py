"""Layers that move numbers and change none."""

from __future__ import annotations

import math

import numpy as np

from caffe2.bridge.caffe.blobs import MOST_AXES, shape_text
from caffe2.bridge.caffe.layers import Shape
from caffe2.bridge.caffe.reference.base import Reference, layer


@layer("Concat", field="concat_param", bottoms=(1, None))
class Concat(Reference):
    """The bottoms one behind the other along an axis."""

    def shapes(self, *bottoms: Shape) -> list[Shape]:
        p, first = self.param, bottoms[0]
        both = p.HasField("axis") and p.HasField("concat_dim")
        self.expect(not both, "give axis or concat_dim, not both", "concat_dim")
        self.at = at = self._axis(first)
        for index, other in enumerate(bottoms[1:], 1):
            same = len(other) == len(first) and other[:at] + other[at + 1 :] == first[:at] + first[at + 1 :]
            what = f"bottom {index} has the shape {shape_text(other)}, bottom 0 {shape_text(first)}"
            self.expect(same, f"{what}; they may differ only along axis {at}", "axis")
        return [(*first[:at], sum(shape[at] for shape in bottoms), *first[at + 1 :])]

    def _axis(self, shape: Shape) -> int:
        if not self.param.HasField("concat_dim"):
            return self.axis(self.param.axis, shape)
        return self.axis(self.param.concat_dim, shape, "concat_dim")

    def forward(self, *bottoms: np.ndarray) -> list[np.ndarray]:
        return [np.concatenate(bottoms, axis=self.at)]


@layer("Slice", field="slice_param", tops=(1, None))
class Slice(Reference):
    """The bottom cut along an axis, at `slice_point`s or into equal parts."""

    def shapes(self, x: Shape) -> list[Shape]:
        p, tops = self.param, len(self.layer.tops)
        both = p.HasField("axis") and p.HasField("slice_dim")
        self.expect(not both, "give axis or slice_dim, not both", "slice_dim")
        legacy = p.HasField("slice_dim")
        self.at = self.axis(p.slice_dim if legacy else p.axis, x, "slice_dim" if legacy else "axis")
        size, points = x[self.at], list(p.slice_point)
        if points:
            self.expect(
                len(points) == tops - 1, f"{tops} tops need {tops - 1} points, not {len(points)}", "slice_point"
            )
            rising = all(a < b for a, b in zip([0, *points], [*points, size + 1], strict=True))
            self.expect(rising, f"{points} must rise from above 0 to {size}, the size of axis {self.at}", "slice_point")
        else:
            self.expect(size % tops == 0, f"{tops} tops do not divide axis {self.at} of {shape_text(x)} evenly", "axis")
            points = [size // tops * index for index in range(1, tops)]
        self.points = points
        return [(*x[: self.at], b - a, *x[self.at + 1 :]) for a, b in zip([0, *points], [*points, size], strict=True)]

    def forward(self, x: np.ndarray) -> list[np.ndarray]:
        return np.split(x, self.points, axis=self.at)


@layer("Split", tops=(1, None))
class Split(Reference):
    """Copies of the bottom."""

    inplace = False

    def shapes(self, x: Shape) -> list[Shape]:
        return [x] * len(self.layer.tops)

    def forward(self, x: np.ndarray) -> list[np.ndarray]:
        return [x] * len(self.layer.tops)


@layer("Silence", bottoms=(1, None), tops=(0, 0))
class Silence(Reference):
    """Nothing: it keeps its bottoms from being outputs of the net."""

    def shapes(self, *bottoms: Shape) -> list[Shape]:
        return []

    def forward(self, *bottoms: np.ndarray) -> list[np.ndarray]:
        return []


@layer("Flatten", field="flatten_param")
class Flatten(Reference):
    """The axes from `axis` to `end_axis` as one."""

    inplace = False

    def shapes(self, x: Shape) -> list[Shape]:
        start, end = self.axis(self.param.axis, x), self.axis(self.param.end_axis, x, "end_axis")
        self.expect(start <= end + 1, f"axis {start} lies behind end_axis {end}", "end_axis")
        self.top = (*x[:start], math.prod(x[start : end + 1]), *x[end + 1 :])
        self.expect(math.prod(self.top) == math.prod(x), f"axis {start} lies behind end_axis {end}", "end_axis")
        return [self.top]

    def forward(self, x: np.ndarray) -> list[np.ndarray]:
        return [x.reshape(self.top)]


@layer("Reshape", field="reshape_param")
class Reshape(Reference):
    """The axes from `axis` on, `num_axes` of them, replaced by `shape`; there 0 copies a size and -1 is inferred."""

    inplace = False

    def shapes(self, x: Shape) -> list[Shape]:
        p, new = self.param, list(self.param.shape.dim)
        start = p.axis if p.axis >= 0 else len(x) + p.axis + 1
        self.expect(0 <= start <= len(x), f"axis {p.axis} is out of range for {shape_text(x)}", "axis")
        self.expect(p.num_axes >= -1, f"must be -1 or more, not {p.num_axes}", "num_axes")
        end = len(x) if p.num_axes == -1 else start + p.num_axes
        self.expect(end <= len(x), f"axes {start} to {end} are out of range for {shape_text(x)}", "num_axes")
        self.expect(len(x) + len(new) <= 2 * MOST_AXES, f"{len(new)} dims are too many", "shape")
        self.expect(new.count(-1) <= 1, "at most one dim may be -1", "shape")
        self.expect(all(dim >= -1 for dim in new), "a dim is -1, 0 or positive", "shape")
        for index in (index for index, dim in enumerate(new) if dim == 0):
            self.expect(start + index < len(x), f"dim {index} is 0, but the bottom has no such axis to copy", "shape")
            new[index] = x[start + index]
        self.top = self._inferred(x, [*x[:start], *new, *x[end:]])
        return [self.top]

    def _inferred(self, x: Shape, top: list[int]) -> Shape:
        if -1 in top:
            known = math.prod(dim for dim in top if dim != -1)
            what = f"the {math.prod(x)} numbers of the bottom are no multiple of {known}, the product of the other dims"
            self.expect(known != 0 and math.prod(x) % known == 0, what, "shape")
            top[top.index(-1)] = math.prod(x) // known
        what = f"{shape_text(tuple(top))} has another count than the bottom, {shape_text(x)}"
        self.expect(math.prod(top) == math.prod(x), what, "shape")
        return tuple(top)

    def forward(self, x: np.ndarray) -> list[np.ndarray]:
        return [x.reshape(self.top)]


@layer("Tile", field="tile_param")
class Tile(Reference):
    """The bottom repeated along an axis."""

    def shapes(self, x: Shape) -> list[Shape]:
        tiles = self.param.tiles
        self.expect(self.param.HasField("tiles"), "must be given", "tiles")
        self.expect(tiles > 0, f"must be positive, not {tiles}", "tiles")
        self.at = at = self.axis(self.param.axis, x)
        return [(*x[:at], x[at] * tiles, *x[at + 1 :])]

    def forward(self, x: np.ndarray) -> list[np.ndarray]:
        return [np.concatenate([x] * self.param.tiles, axis=self.at)]


@layer("Crop", field="crop_param", bottoms=(2, 2))
class Crop(Reference):
    """The first bottom cut, from `axis` on, to the size of the second, at `offset`s."""

    inplace = False

    def shapes(self, x: Shape, size: Shape) -> list[Shape]:
        at, offset = self.axis(self.param.axis, x), list(self.param.offset)
        if len(offset) > 1:
            what = f"{len(offset)} offsets for the {len(x) - at} axes from axis {at} on; give one, or one for each"
            self.expect(at + len(offset) == len(x), what, "offset")
        self.expect(
            len(size) >= len(x), f"the size bottom {shape_text(size)} has fewer axes than {shape_text(x)}", "axis"
        )
        starts = [0] * at + (offset if len(offset) > 1 else (offset or [0]) * (len(x) - at))
        top = (*x[:at], *size[at : len(x)])
        for index, (start, length) in enumerate(zip(starts, top, strict=True)):
            what = f"axis {index} of size {x[index]} cannot be cut to {length} from {start} on"
            self.expect(start + length <= x[index], what, "offset")
        self.cut = tuple(slice(start, start + length) for start, length in zip(starts, top, strict=True))
        return [top]

    def forward(self, x: np.ndarray, size: np.ndarray) -> list[np.ndarray]:
        return [x[self.cut]]


@layer("Permute", field="permute_param")
class Permute(Reference):
    """SSD's transpose: `order` first, the axes it does not name behind in their order."""

    inplace = False

    def shapes(self, x: Shape) -> list[Shape]:
        order = list(self.param.order)
        self.expect(len(set(order)) == len(order), f"{order} names an axis twice", "order")
        self.expect(all(axis < len(x) for axis in order), f"{order} is out of range for {shape_text(x)}", "order")
        self.order = order + [axis for axis in range(len(x)) if axis not in order]
        return [tuple(x[axis] for axis in self.order)]

    def forward(self, x: np.ndarray) -> list[np.ndarray]:
        return [x.transpose(self.order)]


@layer("Transpose", field="transpose_param")
class Transpose(Permute):
    """The axes in the order of `dim` (forks for text)."""

    def shapes(self, x: Shape) -> list[Shape]:
        self.order = list(self.param.dim)
        self.expect(sorted(self.order) == list(range(len(x))), f"must name every axis of {shape_text(x)} once", "dim")
        return [tuple(x[axis] for axis in self.order)]


@layer("Reverse", field="reverse_param")
class Reverse(Reference):
    """One axis backwards (forks for text)."""

    inplace = False

    def shapes(self, x: Shape) -> list[Shape]:
        self.expect(0 <= self.param.axis < len(x), f"{self.param.axis} is out of range for {shape_text(x)}", "axis")
        return [x]

    def forward(self, x: np.ndarray) -> list[np.ndarray]:
        return [np.flip(x, self.param.axis)]


@layer("Reorg", field="reorg_param")
class Reorg(Reference):
    """YOLO's exchange of channels and places, as darknet does it: by the bottom's sizes in both directions.

    The bottom as [N, C / s^2, H, s, W, s] becomes [N, s, s, C / s^2, H, W], seen as the top [N, C s^2, H / s, W / s];
    `reverse` turns [N, s, s, C / s^2, H, W] into [N, C / s^2, H s, W s].
    """

    inplace = False

    def shapes(self, x: Shape) -> list[Shape]:
        s = self.param.stride
        self.expect(self.param.HasField("stride") and s > 0, "must be given, and positive", "stride")
        self.expect(len(x) == 4 and x[1] % (s * s) == 0, f"{s} squared does not divide {shape_text(x)}", "stride")
        n, c, h, w = x
        if self.param.reverse:
            self.steps = (n, s, s, c // (s * s), h, w), (0, 3, 4, 1, 5, 2)
            self.made = (n, c // (s * s), h * s, w * s)
            return [self.made]
        self.expect(h % s == w % s == 0, f"{s} does not divide {shape_text(x)}", "stride")
        self.steps = (n, c // (s * s), h, s, w, s), (0, 3, 5, 1, 2, 4)
        self.made = (n, c * s * s, h // s, w // s)
        return [self.made]

    def forward(self, x: np.ndarray) -> list[np.ndarray]:
        parts, order = self.steps
        return [x.reshape(parts).transpose(order).reshape(self.made)]


@layer("ShuffleChannel", field="shuffle_channel_param")
class ShuffleChannel(Reference):
    """ShuffleNet's exchange: channel g n + i of group g becomes channel i groups + g."""

    inplace = False

    def shapes(self, x: Shape) -> list[Shape]:
        group = self.param.group
        self.expect(
            len(x) >= 2 and group > 0 and x[1] % group == 0, f"{group} does not divide {shape_text(x)}", "group"
        )
        return [x]

    def forward(self, x: np.ndarray) -> list[np.ndarray]:
        grouped = x.reshape(len(x), self.param.group, -1, *x.shape[2:])
        return [grouped.swapaxes(1, 2).reshape(x.shape)]
