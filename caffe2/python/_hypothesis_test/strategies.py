"""Strategies: random arrays, and the segmented and sparse ones that operators of segments take."""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable
from typing import Any

import hypothesis.extra.numpy
import hypothesis.strategies as st
import numpy as np

Strategy = st.SearchStrategy


def to_float32(x: float) -> float:
    """The float32 number nearest to x."""
    return struct.unpack("f", struct.pack("f", float(x)))[0]


def floats(*args: Any, **kwargs: Any) -> Strategy:
    """hypothesis.strategies.floats, of float32 numbers unless a width is given."""
    if "width" not in kwargs:
        kwargs["width"] = 32
        bounds = {name: kwargs[name] for name in ("min_value", "max_value") if kwargs.get(name) is not None}
        kwargs.update({name: to_float32(bound) for name, bound in bounds.items()})
    return st.floats(*args, **kwargs)


def dims(min_value: int = 1, max_value: int = 5) -> Strategy:
    """The size of one dimension."""
    return st.integers(min_value=min_value, max_value=max_value)


def elements_of_type(dtype: Any = np.float32, filter_: Callable[[Any], bool] | None = None) -> Strategy:
    """Elements of a type: floats in [-1, 1], integers that are not negative, booleans. Raises ValueError for others."""
    kind = np.dtype(dtype)
    if kind.kind == "f":
        elements = floats(min_value=-1.0, max_value=1.0, width=8 * kind.itemsize)
    elif kind.name in ("int32", "int64"):
        elements = st.integers(min_value=0, max_value=np.iinfo(kind).max)
    elif kind.kind == "b":
        elements = st.booleans()
    else:
        raise ValueError(f"Unexpected dtype without elements provided: {kind}")
    return elements if filter_ is None else elements.filter(filter_)


def arrays(dims: Any, dtype: Any = np.float32, elements: Strategy | None = None, unique: bool = False) -> Strategy:
    """Arrays of a shape; elements that `dtype` does not hold exactly are rounded to it."""
    elements = elements_of_type(dtype) if elements is None else elements
    kind = np.dtype(dtype)
    if kind.kind == "f":
        elements = elements.map(lambda x: kind.type(x).item())
    return hypothesis.extra.numpy.arrays(dtype, dims, elements=elements, unique=unique)


def tensor(
    min_dim: int = 1,
    max_dim: int = 4,
    dtype: Any = np.float32,
    elements: Strategy | None = None,
    unique: bool = False,
    **kwargs: Any,
) -> Strategy:
    """Arrays of a number of dimensions; `kwargs` bound the size of each, as for dims."""
    shapes = st.lists(dims(**kwargs), min_size=min_dim, max_size=max_dim)
    return shapes.flatmap(lambda shape: arrays(shape, dtype, elements, unique=unique))


def tensor1d(
    min_len: int = 1, max_len: int = 64, dtype: Any = np.float32, elements: Strategy | None = None
) -> Strategy:
    """Vectors."""
    return tensor(1, 1, dtype, elements, min_value=min_len, max_value=max_len)


def tensors(
    n: int, min_dim: int = 1, max_dim: int = 4, dtype: Any = np.float32, elements: Strategy | None = None, **kwargs: Any
) -> Strategy:
    """Lists of n arrays of one shape."""
    shapes = st.lists(dims(**kwargs), min_size=min_dim, max_size=max_dim)
    return shapes.flatmap(lambda shape: st.lists(arrays(shape, dtype, elements), min_size=n, max_size=n))


def tensors1d(
    n: int, min_len: int = 1, max_len: int = 64, dtype: Any = np.float32, elements: Strategy | None = None
) -> Strategy:
    """Lists of n vectors of one length."""
    return tensors(n, 1, 1, dtype, elements, min_value=min_len, max_value=max_len)


def segment_ids(size: int, is_sorted: bool) -> Strategy:
    """The segment of each of `size` rows: consecutive from 0 if sorted, else any below 2 size + 1."""
    if size == 0:
        return st.just(np.empty(shape=[0], dtype=np.int32))
    if not is_sorted:
        return arrays([size], dtype=np.int32, elements=st.integers(min_value=0, max_value=2 * size))
    steps = arrays([size], dtype=np.int32, elements=st.integers(min_value=0, max_value=1))
    return steps.map(lambda x: np.cumsum(x, dtype=np.int32) - x[0])


def lengths(size: int, min_segments: int | None = None, max_segments: int | None = None, **kwargs: Any) -> Strategy:
    """Lengths, some of them 0, of segments that divide `size` rows."""
    least = 0 if min_segments is None else min_segments
    most = size if max_segments is None else max_segments
    if not 0 <= least <= most:
        raise ValueError(f"there are between {least} and {most} segments")
    if size == 0 and most == 0:
        return st.just(np.empty(shape=[0], dtype=np.int32))
    if most == 0:
        raise ValueError(f"{size} rows need at least one segment")
    counts = st.integers(min_value=max(least - 1, 0), max_value=most - 1)
    border = st.integers(min_value=0, max_value=size)
    borders = counts.flatmap(lambda n: hypothesis.extra.numpy.arrays(np.int32, n, elements=border))
    return borders.map(lambda x: np.diff(np.sort(np.append(x, np.array([0, size], np.int32)))))


def segmented_tensor(
    min_dim: int = 1,
    max_dim: int = 4,
    dtype: Any = np.float32,
    is_sorted: bool = True,
    elements: Strategy | None = None,
    segment_generator: Callable[..., Strategy] = segment_ids,
    allow_empty: bool = False,
    **kwargs: Any,
) -> Strategy:
    """Pairs of an array and the segments of its rows; an empty array has one more dimension, of size 0."""
    empty = st.booleans() if allow_empty else st.just(False)
    sizes = st.lists(dims(**kwargs), min_size=min_dim, max_size=max_dim)
    shapes = st.tuples(empty, sizes).map(lambda pair: ([0] if pair[0] else []) + pair[1])
    return shapes.flatmap(
        lambda shape: st.tuples(arrays(shape, dtype, elements), segment_generator(shape[0], is_sorted=is_sorted))
    )


def lengths_tensor(
    min_segments: int | None = None, max_segments: int | None = None, *args: Any, **kwargs: Any
) -> Strategy:
    """Pairs of an array and the lengths of segments of its rows."""
    generator = functools.partial(lengths, min_segments=min_segments, max_segments=max_segments)
    return segmented_tensor(*args, segment_generator=generator, **kwargs)


def sparse_segmented_tensor(
    min_dim: int = 1,
    max_dim: int = 4,
    dtype: Any = np.float32,
    is_sorted: bool = True,
    elements: Strategy | None = None,
    allow_empty: bool = False,
    segment_generator: Callable[..., Strategy] = segment_ids,
    itype: Any = np.int64,
    **kwargs: Any,
) -> Strategy:
    """Triples of an array, indices of rows of it, and the segments of these."""
    empty = st.booleans() if allow_empty else st.just(False)
    sizes = st.lists(dims(**kwargs), min_size=min_dim, max_size=max_dim)

    def counted(pair: tuple[bool, list[int]]) -> Strategy:
        none, shape = pair
        return st.tuples(st.just(shape), st.just(0) if none else st.integers(min_value=1, max_value=shape[0]))

    def drawn(shape_and_count: tuple[list[int], int]) -> Strategy:
        shape, count = shape_and_count
        row = st.integers(min_value=0, max_value=shape[0] - 1)
        indices = arrays(count, dtype=itype, elements=row)
        return st.tuples(arrays(shape, dtype, elements), indices, segment_generator(count, is_sorted=is_sorted))

    return st.tuples(empty, sizes).flatmap(counted).flatmap(drawn)


def sparse_lengths_tensor(**kwargs: Any) -> Strategy:
    """Triples of an array, indices of rows of it, and the lengths of segments of these."""
    return sparse_segmented_tensor(segment_generator=lengths, **kwargs)
