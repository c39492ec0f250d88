"""Translating Caffe's layers into operators: `translate(net)` makes an init net and a predict net of a Caffe net.

One function a layer type, registered by `@translates("Type")` in the module of its family; each takes a `Layer` and
adds operators to a `Builder`. Blobs keep Caffe's names; weights are called LAYER_w, LAYER_b and so on.
"""

from importlib import import_module
from pkgutil import iter_modules

from caffe2.bridge.caffe.translate.builder import Builder, Translation, translates, translators

for _module in iter_modules(__path__, f"{__name__}."):
    import_module(_module.name)

from caffe2.bridge.caffe.translate.model import translate  # noqa: E402

__all__ = ["Builder", "Translation", "translate", "translates", "translators"]
