"""Scalars: the leaves of a schema, one tensor each."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import numpy as np

from caffe2.python._core.blob_reference import BlobReference
from caffe2.python._misuse import demand
from caffe2.python._schema.field import Field, Metadata

logger = logging.getLogger(__name__)


class Scalar(Field):
    """A leaf: values of one type, each of a fixed shape, held as one tensor [length, *shape].

    dtype: anything NumPy takes for a type, with a shape too: np.int64, (np.int32, 5), (str, (10, 20)); np.void, the
        default, for an unknown one. Structured types make several scalars: see from_dtype.
    blob: a BlobReference, or an array; what is neither is converted to the array of `dtype`.
    metadata: what is known of the values.
    """

    __slots__ = ("_blob", "_metadata", "_original_dtype", "dtype")

    def __init__(self, dtype: Any = None, blob: Any = None, metadata: Metadata | None = None) -> None:
        self._metadata: Metadata | None = None
        self.set(dtype, blob, metadata, unsafe=True)
        super().__init__([])

    def _children(self) -> Iterator[tuple[str, Field]]:
        return iter(())

    def field_names(self) -> list[str]:
        """One name, the empty one."""
        return [""]

    def all_scalars(self) -> list[Scalar]:
        """Itself."""
        return [self]

    def field_type(self) -> np.dtype:
        """Its NumPy type."""
        return self.dtype

    def has_blobs(self) -> bool:
        """Whether it has an array or a blob reference."""
        return self._blob is not None

    def clone(self, keep_blobs: bool = True) -> Scalar:
        """A copy, with or without its blob."""
        return Scalar(self._original_dtype, self._blob if keep_blobs else None, self._metadata)

    def get(self) -> Any:
        """The array or blob reference. Raises Misuse where there is none."""
        demand(self._blob is not None, "Value is not set for this field.")
        return self._blob

    def __call__(self) -> Any:
        """The array or blob reference. Raises Misuse where there is none."""
        return self.get()

    @property
    def metadata(self) -> Metadata | None:
        """What is known of the values."""
        return self._metadata

    def set_metadata(self, value: Metadata) -> None:
        """Say what is known of the values. Raises Misuse for a categorical_limit of values that are no integers."""
        demand(isinstance(value, Metadata), f"metadata must be Metadata, got {type(value)}")
        self._metadata = value
        self._validate_metadata()

    def _validate_metadata(self) -> None:
        limited = self._metadata is not None and self._metadata.categorical_limit is not None
        demand(
            not limited or np.issubdtype(self.dtype, np.integer),
            f"`categorical_limit` can be specified only in integral fields but got {self.dtype}",
        )

    def set_value(self, blob: Any, throw_on_type_mismatch: bool = False, unsafe: bool = False) -> None:
        """Give it another array or blob reference, and keep its type.

        throw_on_type_mismatch: raise Misuse for what is no array of exactly that type.
        """
        if throw_on_type_mismatch and self.dtype.base != np.void:
            demand(isinstance(blob, np.ndarray), f"expected an array, got {blob!r}")
            demand(blob.dtype.base == self.dtype.base, f"Expected {self.dtype.base}, got {blob.dtype.base}")
        self.set(dtype=self._original_dtype, blob=blob, unsafe=unsafe)

    def set(self, dtype: Any = None, blob: Any = None, metadata: Metadata | None = None, unsafe: bool = False) -> None:
        """Give it another type and blob, and metadata if given; `unsafe` says that no one else holds the scalar yet."""
        if not unsafe:
            logger.warning("a Scalar that others may hold is changed; pass unsafe=True where it is a new one")
        if isinstance(blob, str):
            raise ValueError(
                f"a string is ambiguous as the value of a Scalar: pass np.array({blob!r}) or BlobReference({blob!r})"
            )
        self._original_dtype = dtype
        known = None if dtype is None else _numpy_type(dtype, blob)
        if blob is not None and not isinstance(blob, BlobReference):
            blob, known = _array(blob, known)
        self.dtype = np.dtype(np.void) if known is None else known
        demand(not self.dtype.fields, "Cannot create Scalar with a structured dtype. Use from_dtype instead.")
        self._blob = blob
        if metadata is not None:
            self.set_metadata(metadata)
        self._validate_metadata()

    def set_type(self, dtype: Any) -> None:
        """Give it another type."""
        self._original_dtype = dtype
        self.dtype = np.dtype(np.void if dtype is None else dtype)
        self._validate_metadata()

    def _lines(self) -> list[str]:
        return [f"Scalar({self.dtype!r}, {self._blob!r}, {self._metadata!r})"]

    def id(self) -> int:
        """Its position in a list over the scalars of the whole tree."""
        return self._child_base_id()


def _numpy_type(dtype: Any, blob: Any) -> np.dtype:
    if isinstance(dtype, tuple):
        if dtype[0] == np.void:
            raise TypeError(
                f"Cannot set the Scalar with type {dtype} for blob {blob}. If this blob is the output of some"
                " operation, please verify the input of that operation has proper type."
            )
        if dtype[1] == 1:  # NumPy takes the shape 1 for no shape at all
            dtype = (dtype[0], (1,))
    return np.dtype(dtype)


def _array(value: Any, dtype: np.dtype | None) -> tuple[np.ndarray, np.dtype | None]:
    """A value as an array of `dtype` with one axis at least, and the type with the shape that the array shows."""
    given = isinstance(value, np.ndarray)
    typed = dtype is not None and dtype != np.void
    demand(given or typed, f"Invalid blob type: {type(value)}")
    array = np.array(value, dtype=dtype.base) if typed else value
    if not given:
        if typed and array.size == 0:
            array = array.reshape((0, *dtype.shape))
        if array.ndim == 0:
            array = array.reshape(1)
    if array.ndim > 1 and dtype is not None and dtype.base != np.void:
        dtype = np.dtype((dtype.base, array.shape[1:]))
    return array, dtype
