"""Caffe2 nets as ONNX models, by the functions of the original; `caffe2.bridge.onnx` does the work."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from caffe2.bridge.onnx import OPSET, Graph, export, filled, message
from caffe2.opdef import EnforceNotMet
from caffe2.proto import caffe2_pb2
from caffe2.python import core as caffe2_core

try:
    import onnx
except ImportError as error:
    raise ImportError("caffe2.python.onnx.frontend needs the package onnx: pip install caffe2[onnx]") from error

__all__ = [
    "Caffe2Frontend",
    "caffe2_init_net_to_initializer",
    "caffe2_net_to_onnx_graph",
    "caffe2_net_to_onnx_model",
    "ssa_rewrite",
]

ValueInfo = Mapping[str, tuple[int, Sequence[int]]]
NetDef = caffe2_pb2.NetDef
FILL = re.compile("GivenTensor.*Fill|ConstantFill")


class Caffe2Frontend:
    """Writes nets as ONNX. `target_opset_version` says of which version the operators are."""

    target_opset_version: ClassVar[int] = OPSET

    @classmethod
    def caffe2_op_to_onnx_node(
        cls, op_def: caffe2_pb2.OperatorDef, shapes: Mapping[str, Sequence[int]]
    ) -> tuple[list[Any], list[Any]]:
        """The nodes of an operator whose blobs are floats of these shapes, and the constants that they read."""
        net = NetDef(name=op_def.type, op=[op_def], external_output=op_def.output)
        inputs = {name: (np.dtype(np.float32), tuple(shapes[name])) for name in op_def.input}
        found = message.to_graph(export(net, inputs, opset=cls.target_opset_version))
        return list(found.node), list(found.initializer)

    @classmethod
    def caffe2_net_to_onnx_graph(
        cls, predict_net: NetDef, init_net: NetDef | None = None, value_info: ValueInfo | None = None
    ) -> Any:
        """The graph of a net; each external input, parameters included, is an input of it.

        value_info: element types, as ONNX counts them, and shapes of the inputs that the init net does not fill.
        Both nets are changed: predict_net as ssa_rewrite does, and init_net fills nothing that value_info describes.
        Raises RuntimeError where an input lacks a type, ExportError listing all that ONNX cannot say.
        """
        graph, known = cls._graph(predict_net, init_net, value_info)
        made = message.to_graph(graph)
        del made.input[:]
        for name in predict_net.external_input:
            dtype, shape = known[name]
            kind = onnx.helper.np_dtype_to_tensor_dtype(dtype)
            made.input.append(onnx.helper.make_tensor_value_info(name, kind, shape))
        return made

    @classmethod
    def _graph(
        cls, predict_net: NetDef, init_net: NetDef | None, value_info: ValueInfo | None
    ) -> tuple[Graph, dict[str, tuple[np.dtype, Sequence[int]]]]:
        info = {} if value_info is None else value_info
        if not isinstance(info, dict):
            raise ValueError("value_info is a dictionary of names to pairs of a type and a shape")
        cls._filter_fake_init(init_net, info)
        cls._ssa_rewrite(predict_net, init_net, info)
        params = filled(init_net)
        missing = [name for name in predict_net.external_input if name not in info and name not in params]
        if missing:
            raise RuntimeError(f"Could not find value info of inputs: {', '.join(missing)}")
        inputs = {name: (onnx.helper.tensor_dtype_to_np_dtype(k), tuple(shape)) for name, (k, shape) in info.items()}
        inputs = {name: value for name, value in inputs.items() if name in predict_net.external_input}
        known = inputs | {name: (v.dtype, v.shape) for name, v in params.items()}
        return export(predict_net, inputs, params, opset=cls.target_opset_version), known

    @classmethod
    def caffe2_init_net_to_initializer(cls, init_net: NetDef) -> list[Any]:
        """What an init net fills, as ONNX tensors, by name."""
        return [onnx.numpy_helper.from_array(v, name=name) for name, v in sorted(filled(init_net).items())]

    @classmethod
    def _filter_fake_init(cls, init_net: NetDef | None, value_info: ValueInfo) -> None:
        """Take fills out of an init net that stand for inputs."""
        ops = [] if init_net is None else list(init_net.op)
        kept = [o for o in ops if len(o.output) != 1 or o.output[0] not in value_info or not FILL.match(o.type)]
        if len(kept) < len(ops):
            del init_net.op[:]
            init_net.op.extend(kept)

    @classmethod
    def ssa_rewrite(cls, net: NetDef, init_net: NetDef | None, value_info: ValueInfo) -> None:
        """Rename the blobs of a net so that each is written once, external outputs included: NAME_1, NAME_2 ...

        A blob of which there is but one version keeps its name, and so does every input. Raises EnforceNotMet where
        the init net does not consist of GivenTensorFills and their like.
        """
        cls._ssa_rewrite(net, init_net, value_info)

    @classmethod
    def _ssa_rewrite(cls, net: NetDef, init_net: NetDef | None, value_info: ValueInfo) -> None:
        for op in init_net.op if init_net else ():
            if not re.match("GivenTensor.*Fill", op.type) or len(op.output) != 1:
                raise EnforceNotMet(f"an init net fills parameters by GivenTensorFill and its like, not by {op.type}")
        ssa, last = caffe2_core.get_ssa(net)
        versions: dict[str, set[int]] = {}
        for name, version in (pair for read, written in ssa for pair in (*read, *written)):
            versions.setdefault(name, set()).add(version)

        def named(name: str, version: int) -> str:
            return name if version == 0 or len(versions.get(name, ())) < 2 else f"{name}_{version}"

        for op, (read, written) in zip(net.op, ssa):
            op.input[:] = [named(*pair) for pair in read]
            op.output[:] = [named(*pair) for pair in written]
        net.external_output[:] = [named(name, last.get(name, 0)) for name in net.external_output]

    @classmethod
    def caffe2_net_to_onnx_model(cls, *args: Any, **kwargs: Any) -> Any:
        """The model of a net, checked by onnx; arguments as `caffe2_net_to_onnx_graph` takes them."""
        model = onnx.helper.make_model(
            cls.caffe2_net_to_onnx_graph(*args, **kwargs),
            opset_imports=[onnx.helper.make_opsetid("", cls.target_opset_version)],
            producer_name="onnx-caffe2",
        )
        model.ir_version = onnx.helper.find_min_ir_version_for(list(model.opset_import))
        onnx.checker.check_model(model)
        return model


caffe2_net_to_onnx_graph = Caffe2Frontend.caffe2_net_to_onnx_graph
caffe2_net_to_onnx_model = Caffe2Frontend.caffe2_net_to_onnx_model
caffe2_init_net_to_initializer = Caffe2Frontend.caffe2_init_net_to_initializer
ssa_rewrite = Caffe2Frontend.ssa_rewrite
