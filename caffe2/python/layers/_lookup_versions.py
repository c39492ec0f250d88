"""The precisions of embedding tables, and the operators that read each."""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

from caffe2.python._misuse import demand
from caffe2.python.optimizer import FP16_ENGINES, Optimizer

logger = logging.getLogger(__name__)


class Version(NamedTuple):
    """How a table is stored."""

    suffix: str
    """What the names of the operators SparseLengths* end with."""
    to_float: str | None
    """The operator that makes floats of rows of the table."""
    separate_scale: bool = False
    """Scales and biases of rows are a blob of their own."""
    trainable: bool = False


VERSIONS = {
    "fp32": Version("", None, trainable=True),
    "fp16": Version("", "HalfToFloat", trainable=True),
    "uint8rowwise": Version("8BitsRowwise", "Rowwise8BitQuantizedToFloat", separate_scale=True),
    "fused_uint8rowwise": Version("Fused8BitRowwise", "Fused8BitRowwiseQuantizedToFloat"),
    "fused_uint4rowwise": Version("Fused4BitRowwise", "Fused4BitRowwiseQuantizedToFloat"),
}


def get_trainer_version_based_on_optim(optim_def: Any) -> str:
    """The precision that an optimizer trains a table in: "fp16" for an engine in FP16_ENGINES, else "fp32"."""
    half = isinstance(optim_def, Optimizer) and getattr(optim_def, "engine", None) in FP16_ENGINES
    return "fp16" if half else "fp32"


def get_sparse_lookup_predictor_version(
    version: str,
    blob_size: int | None = None,
    min_blob_size_4bits: int | None = None,
    embedding_dim: int | None = None,
    sparse_feature_name: str | None = None,
) -> str:
    """The precision of a table in predictors: the one asked for, but 8 bits in place of 4 where these do not do.

    That is for tables of less than min_blob_size_4bits elements, and for rows of an odd number of them. Raises
    ValueError where a size is not given for 4 bits.
    """
    demand(version in VERSIONS, f"a table is stored as one of {', '.join(VERSIONS)}, not {version!r}")
    if version != "fused_uint4rowwise":
        return version
    if None in (blob_size, min_blob_size_4bits, embedding_dim):
        raise ValueError(
            f"{version} of {sparse_feature_name} needs blob_size ({blob_size}), min_blob_size_4bits"
            f" ({min_blob_size_4bits}) and embedding_dim ({embedding_dim})"
        )
    if blob_size < min_blob_size_4bits or embedding_dim % 2 == 1:
        logger.info("the table of %s, of rows of %s, is stored in 8 bits", sparse_feature_name, embedding_dim)
        return "fused_uint8rowwise"
    return version


def get_sparse_lookup_trainer_version(version: str) -> str:
    """The precision of a table in training, "fp32" or "fp16"."""
    trainable = [name for name, v in VERSIONS.items() if v.trainable]
    demand(version in trainable, f"a table is trained as one of {', '.join(trainable)}, not {version!r}")
    return version
