"""Regularizers: penalties on parameters, and constraints that they are held to."""

from __future__ import annotations

from caffe2.python._regularizer.constraints import (
    BoundedGradientProjection,
    ConstantNorm,
    LogBarrier,
    MaxNorm,
    SparseL1Norm,
    SparseL2Norm,
    SparseLpNorm,
)
from caffe2.python._regularizer.penalties import (
    ElasticNet,
    ElasticNetL1NormTrimmed,
    GroupL1Norm,
    L0ApproxNorm,
    L1Norm,
    L1NormTrimmed,
    L2Norm,
    LpNorm,
)
from caffe2.python._regularizer.regularizer import RegularizationBy, Regularizer

__all__ = [
    "BoundedGradientProjection",
    "ConstantNorm",
    "ElasticNet",
    "ElasticNetL1NormTrimmed",
    "GroupL1Norm",
    "L0ApproxNorm",
    "L1Norm",
    "L1NormTrimmed",
    "L2Norm",
    "LogBarrier",
    "LpNorm",
    "MaxNorm",
    "RegularizationBy",
    "Regularizer",
    "SparseL1Norm",
    "SparseL2Norm",
    "SparseLpNorm",
]
