"""Models of layers, for training and prediction on records of features."""

from __future__ import annotations

from caffe2.python._layer_model_helper.model import LayerModelHelper

__all__ = ["LayerModelHelper"]
