"""CNNModelHelper, the older way to build a model: the functions of caffe2.python.brew as methods."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from caffe2.proto import caffe2_pb2
from caffe2.python import brew, workspace
from caffe2.python.model_helper import ModelHelper

logger = logging.getLogger(__name__)

_CONVOLUTION = ("use_cudnn", "order", "cudnn_exhaustive_search", "ws_nbytes_limit")


def _method(helper: str, *settings: str) -> Callable[..., Any]:
    """The brew function `helper` as a method that passes on these attributes of the model."""

    def method(self: CNNModelHelper, *args: Any, **kwargs: Any) -> Any:
        passed = {name: getattr(self, name) for name in settings}
        return getattr(brew, helper)(self, *args, **passed, **kwargs)

    method.__name__ = helper
    method.__doc__ = f"brew.{helper} on this model" + (f", with its {', '.join(settings)}." if settings else ".")
    return method


class CNNModelHelper(ModelHelper):
    """A model whose methods add layers; ModelHelper with caffe2.python.brew does the same.

    order: "NCHW" or "NHWC", the axes of images.
    use_cudnn, cudnn_exhaustive_search, ws_nbytes_limit: whether and how cuDNN is used.
    Other arguments are those of ModelHelper. Raises ValueError for another order.
    """

    def __init__(
        self,
        order: str = "NCHW",
        name: str | None = None,
        use_cudnn: bool = True,
        cudnn_exhaustive_search: bool = False,
        ws_nbytes_limit: int | None = None,
        init_params: bool = True,
        skip_sparse_optim: bool = False,
        param_model: ModelHelper | None = None,
    ) -> None:
        logger.warning("CNNModelHelper is deprecated: use ModelHelper with the functions of caffe2.python.brew")
        if order not in ("NHWC", "NCHW"):
            raise ValueError(f"Cannot understand the CNN storage order {order}.")
        settings = {"order": order, "use_cudnn": use_cudnn, "cudnn_exhaustive_search": cudnn_exhaustive_search}
        if ws_nbytes_limit:
            settings["ws_nbytes_limit"] = ws_nbytes_limit
        super().__init__(
            skip_sparse_optim=skip_sparse_optim,
            name="CNN" if name is None else name,
            init_params=init_params,
            param_model=param_model,
            arg_scope=settings,
        )
        self.order = order
        self.use_cudnn = use_cudnn
        self.cudnn_exhaustive_search = cudnn_exhaustive_search
        self.ws_nbytes_limit = ws_nbytes_limit

    ImageInput = _method("image_input", "order")
    VideoInput = _method("video_input")
    ConvNd = _method("conv_nd", *_CONVOLUTION)
    Conv = _method("conv", *_CONVOLUTION)
    ConvTranspose = _method("conv_transpose", *_CONVOLUTION)
    GroupConv = _method("group_conv", *_CONVOLUTION)
    GroupConv_Deprecated = _method("group_conv_deprecated", *_CONVOLUTION)
    FC = _method("fc")
    PackedFC = _method("packed_fc")
    FC_Prune = _method("fc_prune")
    FC_Decomp = _method("fc_decomp")
    FC_Sparse = _method("fc_sparse")
    Dropout = _method("dropout", "order", "use_cudnn")
    LRN = _method("lrn", "order", "use_cudnn")
    Softmax = _method("softmax", "use_cudnn")
    SpatialBN = _method("spatial_bn", "order")
    SpatialGN = _method("spatial_gn", "order")
    InstanceNorm = _method("instance_norm", "order")
    Relu = _method("relu", "order", "use_cudnn")
    PRelu = _method("prelu")
    Concat = _method("concat", "order")
    DepthConcat = _method("depth_concat", "order")
    Sum = _method("sum")
    Transpose = _method("transpose", "use_cudnn")
    Iter = _method("iter")
    Accuracy = _method("accuracy")
    MaxPool = _method("max_pool", "use_cudnn", "order")
    MaxPoolWithIndex = _method("max_pool_with_index", "order")
    AveragePool = _method("average_pool", "use_cudnn", "order")
    AddWeightDecay = _method("add_weight_decay")

    def PadImage(self, blob_in: Any, blob_out: Any, **kwargs: Any) -> None:
        """Append the operator PadImage."""
        self.net.PadImage(blob_in, blob_out, **kwargs)

    @property
    def XavierInit(self) -> tuple[str, dict[str, Any]]:
        """The fill XavierFill."""
        return "XavierFill", {}

    def ConstantInit(self, value: float) -> tuple[str, dict[str, Any]]:
        """The fill by a constant."""
        return "ConstantFill", {"value": value}

    @property
    def MSRAInit(self) -> tuple[str, dict[str, Any]]:
        """The fill MSRAFill."""
        return "MSRAFill", {}

    @property
    def ZeroInit(self) -> tuple[str, dict[str, Any]]:
        """The fill by zeros."""
        return "ConstantFill", {}

    @property
    def CPU(self) -> caffe2_pb2.DeviceOption:
        """The CPU."""
        return caffe2_pb2.DeviceOption(device_type=caffe2_pb2.CPU)

    @property
    def GPU(self) -> caffe2_pb2.DeviceOption:
        """The first GPU."""
        return caffe2_pb2.DeviceOption(device_type=workspace.GpuDeviceType, device_id=0)
