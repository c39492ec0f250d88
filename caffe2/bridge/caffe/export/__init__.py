"""Writing a Caffe2 net as Caffe's: `export(init_net, predict_net)` makes layers of operators, `write` files of them.

One function an operator type, registered by `@exports("Type")` in the module of its family; each takes a `Site`, an
operator with the shapes that a run of the net showed, and adds layers to a `Draft`.
"""

from importlib import import_module
from pkgutil import iter_modules

from caffe2.bridge.caffe.export.draft import FORKS, Draft, exporters, exports

for _module in iter_modules(__path__, f"{__name__}."):
    import_module(_module.name)

from caffe2.bridge.caffe.export.model import CaffeNet, InexpressibleError, export  # noqa: E402
from caffe2.bridge.caffe.export.proof import proof  # noqa: E402
from caffe2.bridge.caffe.export.write import prototxt, write  # noqa: E402

__all__ = [
    "FORKS",
    "CaffeNet",
    "Draft",
    "InexpressibleError",
    "export",
    "exporters",
    "exports",
    "proof",
    "prototxt",
    "write",
]
