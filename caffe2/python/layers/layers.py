"""What all layers share: the class to derive from, its parameters, records of ids, and the registry."""

from __future__ import annotations

from caffe2.python.layers._layers.layer import InstantiationContext, ModelLayer
from caffe2.python.layers._layers.parameter import AccessedFeatures, LayerParameter, LayerPsParam
from caffe2.python.layers._layers.records import (
    IdList,
    IdListWithEvicted,
    IdScoreList,
    IdScoreListWithEvicted,
    almost_equal_schemas,
    get_avg_length,
    get_categorical_limit,
    get_key,
    is_request_only_scalar,
    set_request_only,
)
from caffe2.python.layers._layers.registry import (
    _LAYER_REGISTRY,
    create_layer,
    get_layer_class,
    layer_exists,
    register_layer,
)

__all__ = [
    "AccessedFeatures",
    "IdList",
    "IdListWithEvicted",
    "IdScoreList",
    "IdScoreListWithEvicted",
    "InstantiationContext",
    "LayerParameter",
    "LayerPsParam",
    "ModelLayer",
    "_LAYER_REGISTRY",
    "almost_equal_schemas",
    "create_layer",
    "get_avg_length",
    "get_categorical_limit",
    "get_key",
    "get_layer_class",
    "is_request_only_scalar",
    "layer_exists",
    "register_layer",
    "set_request_only",
]
