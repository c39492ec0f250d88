"""The classes of layers, by the names that models create them by."""

from __future__ import annotations

from typing import Any

from caffe2.python._misuse import demand
from caffe2.python.layers._layers.layer import ModelLayer

_LAYER_REGISTRY: dict[str, type[ModelLayer]] = {}


def register_layer(name: str, layer: type[ModelLayer]) -> None:
    """Let models create a layer under a name. Raises Misuse where there is one of that name."""
    demand(name not in _LAYER_REGISTRY, f"there is a layer named {name} already")
    _LAYER_REGISTRY[name] = layer


def layer_exists(name: str) -> bool:
    """Whether there is a layer of this name."""
    return name in _LAYER_REGISTRY


def get_layer_class(name: str) -> type[ModelLayer]:
    """The class of the layer of this name. Raises KeyError where there is none."""
    return _LAYER_REGISTRY[name]


def create_layer(layer_name: str, *args: Any, **kwargs: Any) -> ModelLayer:
    """A new layer, made with these arguments; the first one is the model."""
    return get_layer_class(layer_name)(*args, **kwargs)
