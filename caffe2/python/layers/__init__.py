"""Layers for LayerModelHelper, one kind a file; each class in this package is registered under its own name."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from importlib import import_module

from caffe2.python.layers import layers


def _public_subclasses(cls: type) -> Iterator[type]:
    for subclass in cls.__subclasses__():
        if not subclass.__name__.startswith("_"):
            yield subclass
        yield from _public_subclasses(subclass)


for _module in pkgutil.iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

for _layer in dict.fromkeys(_public_subclasses(layers.ModelLayer)):
    layers.register_layer(_layer.__name__, _layer)
