"""A reference of what Caffe's layers compute, in NumPy and independent of any operator: to check by, and to refuse by.

`base` says what a reference layer is; each other module has the layers of one idea; `run` computes a whole net.
"""

from caffe2.bridge.caffe.reference import (  # noqa: F401  (each registers its layers)
    affine,
    conv,
    data,
    loss,
    neuron,
    norm,
    pool,
    recurrent,
    regions,
    resize,
    select,
    shape,
    ssd,
    volume,
)
from caffe2.bridge.caffe.reference.base import TYPES, Reference, Weight, checked, layer
from caffe2.bridge.caffe.reference.run import run, steps

__all__ = ["TYPES", "Reference", "Weight", "checked", "layer", "run", "steps"]
