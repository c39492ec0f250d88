"""The nets of an exported model, and access to the parts of a MetaNetDef by key."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from caffe2.proto import caffe2_pb2
from caffe2.python import core, scope
from caffe2.python._misuse import demand

if TYPE_CHECKING:
    from caffe2.proto.metanet_pb2 import MetaNetDef
    from caffe2.python.predictor.predictor_exporter import PredictorExportMeta


def create_predict_net(predictor_export_meta: PredictorExportMeta) -> caffe2_pb2.NetDef:
    """The net that predicts: from the inputs and the parameters to the outputs."""
    meta, source = predictor_export_meta, predictor_export_meta.predict_net
    net = core.Net(source.name or "predict").Proto()
    net.op.extend(source.op)
    net.partition_info.extend(source.partition_info)
    net.external_input.extend(meta.inputs + meta.parameters)
    net.external_output.extend(meta.outputs)
    net.arg.extend(source.arg)
    if meta.net_type is not None:
        net.type = meta.net_type
    if meta.num_workers is not None:
        net.num_workers = meta.num_workers
    return net


def create_predict_init_net(ws: Any, predictor_export_meta: PredictorExportMeta) -> caffe2_pb2.NetDef:
    """The net that makes inputs and outputs, of zeros, and runs what else prediction needs.

    A blob without a shape in the meta data has that of the blob in workspace `ws`; raises KeyError where it has none.
    """
    meta = predictor_export_meta
    net = core.Net("predict-init")
    blobs = meta.inputs + meta.outputs
    for blob in blobs:
        shape = meta.shapes.get(blob)
        if shape is None:
            if blob not in ws.blobs:
                raise KeyError(f"{blob} not in workspace but needed for shape: {list(ws.blobs)}")
            shape = ws.blobs[blob].fetch().shape
        with scope.EmptyDeviceScope():
            net.ConstantFill([], blob, shape=shape, value=0.0)
    net.Proto().external_input.extend(blobs)
    if meta.extra_init_net:
        net.AppendNet(meta.extra_init_net)
    AddModelIdArg(meta, net.Proto())
    return net.Proto()


def get_comp_name(string: str, name: str) -> str:
    """The key of a part of the submodel `name`, or of the whole model where that is empty."""
    return f"{string}_{name}" if name else string


def _ProtoMapGet(field: Iterable[Any], key: str) -> Any:
    """The value of the entry of this key; None where there is none."""
    return next((entry.value for entry in field if entry.key == key), None)


def GetPlan(meta_net_def: MetaNetDef, key: str) -> caffe2_pb2.PlanDef | None:
    """The plan of this key."""
    return _ProtoMapGet(meta_net_def.plans, key)


GetPlanOriginal = GetPlan


def GetNet(meta_net_def: MetaNetDef, key: str) -> caffe2_pb2.NetDef | None:
    """The net of this key."""
    return _ProtoMapGet(meta_net_def.nets, key)


GetNetOriginal = GetNet


def GetBlobs(meta_net_def: MetaNetDef, key: str) -> Any:
    """The names of blobs of this key; empty where there are none."""
    blobs = _ProtoMapGet(meta_net_def.blobs, key)
    return [] if blobs is None else blobs


def GetBlobsByTypePrefix(meta_net_def: MetaNetDef, blob_type_prefix: str) -> list[str]:
    """The names of blobs of all keys with this prefix, each once, in their order."""
    entries = (entry for entry in meta_net_def.blobs if entry.key.startswith(blob_type_prefix))
    return list(dict.fromkeys(blob for entry in entries for blob in entry.value))


def GetApplicationSpecificInfo(meta_net_def: MetaNetDef, key: str) -> str | None:
    """The note of an application under this key."""
    return _ProtoMapGet(meta_net_def.applicationSpecificInfo, key)


def GetBlobsOrder(meta_net_def: MetaNetDef) -> Any:
    """The order in which blobs are loaded."""
    return meta_net_def.blobsOrder


def AddBlobs(meta_net_def: MetaNetDef, blob_name: str, blob_def: Iterable[str]) -> None:
    """Add names of blobs under the key `blob_name`."""
    blobs = _ProtoMapGet(meta_net_def.blobs, blob_name)
    if blobs is None:
        blobs = meta_net_def.blobs.add(key=blob_name).value
    blobs.extend(blob_def)


def ReplaceBlobs(meta_net_def: MetaNetDef, blob_name: str, blob_def: Iterable[str]) -> None:
    """Put names of blobs under the key `blob_name` in place of those there. Raises Misuse where there are none."""
    blobs = _ProtoMapGet(meta_net_def.blobs, blob_name)
    demand(blobs is not None, f"The blob_name:{blob_name} does not exist")
    blobs[:] = list(blob_def)


def AddPlan(meta_net_def: MetaNetDef, plan_name: str, plan_def: caffe2_pb2.PlanDef) -> None:
    """Add a plan under a key."""
    meta_net_def.plans.add(key=plan_name, value=plan_def)


def AddNet(meta_net_def: MetaNetDef, net_name: str, net_def: caffe2_pb2.NetDef) -> None:
    """Add a net under a key."""
    meta_net_def.nets.add(key=net_name, value=net_def)


def SetBlobsOrder(meta_net_def: MetaNetDef, blobs_order: Iterable[str]) -> None:
    """Append to the order in which blobs are loaded."""
    meta_net_def.blobsOrder.extend(blobs_order)


def SetPreLoadBlobs(meta_net_def: MetaNetDef, pre_load_blobs: Iterable[str]) -> None:
    """Append to the blobs that are loaded before all others."""
    meta_net_def.preLoadBlobs.extend(pre_load_blobs)


def SetRequestOnlyEmbeddings(meta_net_def: MetaNetDef, request_only_embeddings: Iterable[str]) -> None:
    """Append to the embeddings that belong to requests alone."""
    meta_net_def.requestOnlyEmbeddings.extend(request_only_embeddings)


def SetTensorBoundShapes(meta_net_def: MetaNetDef, tensor_bound_shapes: Any) -> None:
    """Set the shapes that blobs have at most."""
    meta_net_def.tensorBoundShapes.CopyFrom(tensor_bound_shapes)


def SetAOTConfig(meta_net_def: MetaNetDef, aot_config: Any) -> None:
    """Set what is compiled ahead of time, and how."""
    meta_net_def.aotConfig.CopyFrom(aot_config)


def GetArgumentByName(net_def: caffe2_pb2.NetDef, arg_name: str) -> caffe2_pb2.Argument | None:
    """The argument of a net of this name."""
    return next((arg for arg in net_def.arg if arg.name == arg_name), None)


def AddModelIdArg(meta_net_def: Any, net_def: caffe2_pb2.NetDef) -> None:
    """Give a net the model_id of the predict net, where that has one."""
    source = GetArgumentByName(meta_net_def.predict_net, "model_id")
    if source is not None:
        target = GetArgumentByName(net_def, "model_id") or net_def.arg.add(name="model_id")
        target.i = source.i
