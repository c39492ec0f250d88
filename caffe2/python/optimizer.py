"""Optimizers: the operators that update a model's parameters by their gradients."""

from __future__ import annotations

from caffe2.python._optimizer.adadelta import AdadeltaOptimizer, build_adadelta
from caffe2.python._optimizer.adagrad import FP16_ENGINES, AdagradOptimizer, build_adagrad
from caffe2.python._optimizer.adam import AdamOptimizer, build_adam
from caffe2.python._optimizer.build import (
    _LEARNING_RATE_INJECTION,
    _build,
    _calc_norm_ratio,
    _get_param_to_device,
    get_lr_injection,
    get_param_device,
    set_lr_injection,
)
from caffe2.python._optimizer.ftrl import FtrlOptimizer, GFtrlOptimizer, build_ftrl, build_gftrl
from caffe2.python._optimizer.optimizer import AuxOptimizerParams, Optimizer, _optimizer_instance_count
from caffe2.python._optimizer.rms_prop import RmsPropOptimizer, build_rms_prop
from caffe2.python._optimizer.sgd import (
    FP16SgdOptimizer,
    MultiPrecisionSgdOptimizer,
    SgdOptimizer,
    build_fp16_sgd,
    build_multi_precision_sgd,
    build_sgd,
)
from caffe2.python._optimizer.storm import StormOptimizer, build_storm
from caffe2.python._optimizer.weight_decay import WeightDecayBuilder, add_weight_decay
from caffe2.python._optimizer.wngrad import WngradOptimizer, build_wngrad
from caffe2.python._optimizer.yellowfin import YellowFinOptimizer, build_yellowfin

__all__ = [
    "AdadeltaOptimizer",
    "AdagradOptimizer",
    "AdamOptimizer",
    "AuxOptimizerParams",
    "FP16SgdOptimizer",
    "FP16_ENGINES",
    "FtrlOptimizer",
    "GFtrlOptimizer",
    "MultiPrecisionSgdOptimizer",
    "Optimizer",
    "RmsPropOptimizer",
    "SgdOptimizer",
    "StormOptimizer",
    "WeightDecayBuilder",
    "WngradOptimizer",
    "YellowFinOptimizer",
    "_LEARNING_RATE_INJECTION",
    "_build",
    "_calc_norm_ratio",
    "_get_param_to_device",
    "_optimizer_instance_count",
    "add_weight_decay",
    "build_adadelta",
    "build_adagrad",
    "build_adam",
    "build_fp16_sgd",
    "build_ftrl",
    "build_gftrl",
    "build_multi_precision_sgd",
    "build_rms_prop",
    "build_sgd",
    "build_storm",
    "build_wngrad",
    "build_yellowfin",
    "get_lr_injection",
    "get_param_device",
    "set_lr_injection",
]
