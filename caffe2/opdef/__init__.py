"""The operator contract: one definition says everything there is to say about an operator."""

from caffe2.opdef.arguments import Arg, DType, OutputCount, Reals, Site
from caffe2.opdef.backward import Gradient, gradient_ops, make_argument
from caffe2.opdef.definition import (
    NONE,
    REFUSED,
    UNKNOWN,
    InPlace,
    Op,
    OpDef,
    gradient,
    kernel,
    lookup,
    op,
    registry,
    shape,
    verify,
)
from caffe2.opdef.document import document
from caffe2.opdef.dtypes import STRING, element_type
from caffe2.opdef.errors import (
    ArgumentTypeError,
    EnforceNotMet,
    NoGradient,
    OperatorFailed,
    SchemaError,
    UnknownOperator,
    did_you_mean,
)
from caffe2.opdef.inference import infer

__all__ = [
    "NONE",
    "REFUSED",
    "STRING",
    "UNKNOWN",
    "Arg",
    "ArgumentTypeError",
    "DType",
    "EnforceNotMet",
    "Gradient",
    "InPlace",
    "NoGradient",
    "Op",
    "OpDef",
    "OperatorFailed",
    "OutputCount",
    "Reals",
    "SchemaError",
    "Site",
    "UnknownOperator",
    "did_you_mean",
    "document",
    "element_type",
    "gradient",
    "gradient_ops",
    "infer",
    "kernel",
    "lookup",
    "make_argument",
    "op",
    "registry",
    "shape",
    "verify",
]
