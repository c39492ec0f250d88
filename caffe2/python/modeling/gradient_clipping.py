"""Gradient clipping: gradients made smaller before they are used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from caffe2.proto import caffe2_pb2
from caffe2.python import core
from caffe2.python._misuse import demand
from caffe2.python.modeling.net_modifier import NetModifier
from caffe2.python.optimizer import get_param_device


class GradientClipping(NetModifier):
    """Clips dense gradients in place, each by itself; sparse ones are left alone.

    grad_clip_method: BY_VALUE clips each element to [clip_min, clip_max]; BY_NORM scales a gradient g down to
        ||g|| <= clip_threshold, or <= clip_threshold ||parameter|| with use_parameter_norm.
    clip_norm_type: L2_NORM or L1_NORM.
    compute_norm_ratio: with use_parameter_norm, write ||g|| / ||parameter|| to the blob PARAMETER_norm_ratio.
    blobs_to_include: parameters whose gradients are clipped; all where None.
    blobs_to_exclude: parameters whose gradients are not clipped.
    """

    L1_NORM = "l1_norm"
    L2_NORM = "l2_norm"
    BY_NORM = "by_norm"
    BY_VALUE = "by_value"

    GRAD_CLIP_METHODS = [BY_NORM, BY_VALUE]
    CLIP_GRADIENT_NORM_TYPES = [L2_NORM, L1_NORM]

    def __init__(
        self,
        grad_clip_method: str,
        clip_norm_type: str | None = "l2_norm",
        clip_threshold: float = 0.1,
        use_parameter_norm: bool = False,
        compute_norm_ratio: bool = False,
        clip_max: float = 1,
        clip_min: float = -1,
        blobs_to_include: Iterable[str] | None = None,
        blobs_to_exclude: Iterable[str] | None = None,
    ) -> None:
        methods, norms = self.GRAD_CLIP_METHODS, self.CLIP_GRADIENT_NORM_TYPES
        demand(grad_clip_method in methods, f"gradients are clipped {' or '.join(methods)}, not {grad_clip_method!r}")
        unused = clip_norm_type is None and grad_clip_method == self.BY_VALUE
        demand(unused or clip_norm_type in norms, f"a norm is one of {', '.join(norms)}, not {clip_norm_type!r}")
        self.grad_clip_method = grad_clip_method
        self.clip_norm_type = clip_norm_type
        self.clip_threshold = float(clip_threshold)
        self.use_parameter_norm = use_parameter_norm
        self.compute_norm_ratio = compute_norm_ratio
        self.clip_max = float(clip_max)
        self.clip_min = float(clip_min)
        self.blobs_to_include = blobs_to_include
        self.blobs_to_exclude = blobs_to_exclude

    def modify_net(
        self,
        net: core.Net,
        init_net: core.Net | None = None,
        grad_map: Mapping[Any, Any] | None = None,
        blob_to_device: Mapping[Any, caffe2_pb2.DeviceOption] | None = None,
        modify_output_record: bool = False,
    ) -> None:
        demand(grad_map is not None, "clipping gradients takes grad_map, the gradients by parameter")
        cpu = core.DeviceOption(caffe2_pb2.CPU)
        for param, grad in self._selected(net, grad_map).items():
            if isinstance(grad, core.GradientSlice):
                continue
            device = get_param_device(param, grad, param_to_device=blob_to_device, default_device=cpu)
            with core.DeviceScope(device):
                if self.grad_clip_method == self.BY_NORM:
                    self._clip_by_norm(net, param, grad)
                else:
                    net.Clip([grad], [grad], max=self.clip_max, min=self.clip_min)

    def _selected(self, net: core.Net, grad_map: Mapping[Any, Any]) -> dict[Any, Any]:
        selected = dict(grad_map)
        if self.blobs_to_include is not None:
            params = [core.BlobReference(blob) for blob in self.blobs_to_include]
            for param in params:
                if not net.BlobIsDefined(param):
                    raise ValueError(f"parameter {param} is not defined in net {net.Name()}")
            selected = {param: grad_map[param] for param in params}
        for blob in self.blobs_to_exclude or ():
            selected.pop(blob, None)
        return selected

    def _clip_by_norm(self, net: core.Net, param: Any, grad: core.BlobReference) -> None:
        norm = self._norm(net, grad)
        inputs = [grad, norm]
        if self.use_parameter_norm:
            param_norm = self._norm(net, param)
            inputs.append(param_norm)
            if self.compute_norm_ratio:
                net.Div([norm, param_norm], [net.NextScopedBlob(prefix=f"{param}_norm_ratio")])
        net.ClipTensorByScaling(inputs, [grad], threshold=self.clip_threshold)

    def _norm(self, net: core.Net, blob: Any) -> core.BlobReference:
        p = {self.L1_NORM: 1, self.L2_NORM: 2}[self.clip_norm_type]
        norm = net.LpNorm([blob], net.NextScopedBlob(prefix=f"{blob}_l{p}_norm"), p=p)
        return net.Pow([norm], exponent=0.5) if p == 2 else norm  # LpNorm gives the square where p is 2
