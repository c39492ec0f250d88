"""Models that are built operator by operator, and the nets extracted from them to predict."""

from __future__ import annotations

from caffe2.python._model_helper.model import ModelHelper
from caffe2.python._model_helper.operators import KNOWN_OPERATORS as _known_working_ops
from caffe2.python._model_helper.predictor_net import ExtractPredictorNet

__all__ = ["ExtractPredictorNet", "ModelHelper", "_known_working_ops"]
