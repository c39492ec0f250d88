"""Models saved to a database with all that prediction needs, and loaded from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from caffe2.proto import caffe2_pb2, metanet_pb2
from caffe2.python import core, scope, workspace
from caffe2.python._misuse import demand
from caffe2.python.predictor import predictor_py_utils as utils
from caffe2.python.predictor import serde
from caffe2.python.predictor_constants import predictor_constants


def get_predictor_exporter_helper(submodelNetName: str) -> PredictorExportMeta:
    """An empty submodel, for the keys of its parts."""
    return PredictorExportMeta(
        predict_net=core.Net(submodelNetName), parameters=[], inputs=[], outputs=[], name=submodelNetName
    )


class _Meta(NamedTuple):
    predict_net: Any
    parameters: list[str]
    inputs: list[str]
    outputs: list[str]
    shapes: Mapping[str, Sequence[int]]
    name: str
    extra_init_net: core.Net | None
    global_init_net: core.Net | None
    net_type: str | None
    num_workers: int | None
    trainer_prefix: str | None


class PredictorExportMeta(_Meta):
    """What is exported of a model.

    predict_net: the net, or plan, that computes `outputs` from `inputs` and `parameters`, which are disjoint.
    shapes: of inputs and outputs, where they are not those of blobs in the workspace.
    name: of the submodel; empty for a whole model.
    extra_init_net, global_init_net: run before prediction, by each predictor and once for all.
    net_type, num_workers: how the predict net runs.
    trainer_prefix: put before the keys of training plans.
    """

    def __new__(
        cls,
        predict_net: Any,
        parameters: Iterable[Any],
        inputs: Iterable[Any],
        outputs: Iterable[Any],
        shapes: Mapping[str, Sequence[int]] | None = None,
        name: str = "",
        extra_init_net: core.Net | None = None,
        global_init_net: core.Net | None = None,
        net_type: str | None = None,
        num_workers: int | None = None,
        trainer_prefix: str | None = None,
    ) -> PredictorExportMeta:
        inputs, outputs, parameters = (list(map(str, blobs)) for blobs in (inputs, outputs, parameters))
        demand(len(set(inputs)) == len(inputs), f"All inputs to the predictor should be unique: {inputs}")
        for kind, blobs in (("inputs", inputs), ("outputs", outputs)):
            both = sorted(set(parameters) & set(blobs))
            demand(not both, f"Parameters and {kind} are required to be disjoint. Intersection: {both}")
        if isinstance(predict_net, (core.Net, core.Plan)):
            predict_net = predict_net.Proto()
        demand(
            isinstance(predict_net, (caffe2_pb2.NetDef, caffe2_pb2.PlanDef)),
            f"a predict net is a net or a plan, not a {type(predict_net).__name__}",
        )
        rest = (shapes or {}, name, extra_init_net, global_init_net, net_type, num_workers, trainer_prefix)
        return super().__new__(cls, predict_net, parameters, inputs, outputs, *rest)

    def inputs_name(self) -> str:
        """The key of the inputs."""
        return utils.get_comp_name(predictor_constants.INPUTS_BLOB_TYPE, self.name)

    def outputs_name(self) -> str:
        """The key of the outputs."""
        return utils.get_comp_name(predictor_constants.OUTPUTS_BLOB_TYPE, self.name)

    def parameters_name(self) -> str:
        """The key of the parameters."""
        return utils.get_comp_name(predictor_constants.PARAMETERS_BLOB_TYPE, self.name)

    def global_init_name(self) -> str:
        """The key of the net that runs once for all predictors."""
        return utils.get_comp_name(predictor_constants.GLOBAL_INIT_NET_TYPE, self.name)

    def predict_init_name(self) -> str:
        """The key of the net that each predictor runs first."""
        return utils.get_comp_name(predictor_constants.PREDICT_INIT_NET_TYPE, self.name)

    def predict_net_name(self) -> str:
        """The key of the net that predicts."""
        return utils.get_comp_name(predictor_constants.PREDICT_NET_TYPE, self.name)

    def train_init_plan_name(self) -> str:
        """The key of the plan that training starts with."""
        return self._trainer_key(predictor_constants.TRAIN_INIT_PLAN_TYPE)

    def train_plan_name(self) -> str:
        """The key of the plan that trains."""
        return self._trainer_key(predictor_constants.TRAIN_PLAN_TYPE)

    def _trainer_key(self, kind: str) -> str:
        key = utils.get_comp_name(kind, self.name)
        return f"{self.trainer_prefix}_{key}" if self.trainer_prefix else key


def prepare_prediction_net(
    filename: str, db_type: str, device_option: caffe2_pb2.DeviceOption | None = None
) -> core.Net:
    """Load a model from a database into the current workspace; its predict net, created."""
    meta_net_def = load_from_db(filename, db_type, device_option)
    for key in (predictor_constants.GLOBAL_INIT_NET_TYPE, predictor_constants.PREDICT_INIT_NET_TYPE):
        workspace.RunNetOnce(utils.GetNet(meta_net_def, key))
    predict_net = core.Net(utils.GetNet(meta_net_def, predictor_constants.PREDICT_NET_TYPE))
    workspace.CreateNet(predict_net)
    return predict_net


def _global_init_net(predictor_export_meta: PredictorExportMeta, db_type: str | None) -> caffe2_pb2.NetDef:
    """The net that loads the parameters; the original's own store, manifold, loads them by itself."""
    net = core.Net("global-init")
    parameters = predictor_export_meta.parameters
    if db_type != "manifold_db":
        net.Load([predictor_constants.PREDICTOR_DBREADER], parameters)
        net.Proto().external_input.extend([predictor_constants.PREDICTOR_DBREADER])
        net.Proto().external_output.extend(parameters)
    if predictor_export_meta.global_init_net:
        net.AppendNet(predictor_export_meta.global_init_net)
    utils.AddModelIdArg(predictor_export_meta, net.Proto())
    return net.Proto()


def get_meta_net_def(
    predictor_export_meta: PredictorExportMeta, ws: Any = None, db_type: str | None = None
) -> metanet_pb2.MetaNetDef:
    """The message that describes an exported model: its nets, and the names of its blobs, by key."""
    meta, meta_net_def = predictor_export_meta, metanet_pb2.MetaNetDef()
    ws = ws or workspace.C.Workspace.current
    utils.AddNet(meta_net_def, meta.predict_init_name(), utils.create_predict_init_net(ws, meta))
    utils.AddNet(meta_net_def, meta.global_init_name(), _global_init_net(meta, db_type))
    utils.AddNet(meta_net_def, meta.predict_net_name(), utils.create_predict_net(meta))
    utils.AddBlobs(meta_net_def, meta.parameters_name(), meta.parameters)
    utils.AddBlobs(meta_net_def, meta.inputs_name(), meta.inputs)
    utils.AddBlobs(meta_net_def, meta.outputs_name(), meta.outputs)
    return meta_net_def


def set_model_info(meta_net_def: metanet_pb2.MetaNetDef, project_str: str, model_class_str: str, version: str) -> None:
    """Say what project and class a model is of, and its version."""
    demand(isinstance(meta_net_def, metanet_pb2.MetaNetDef), f"{type(meta_net_def).__name__} is not a MetaNetDef")
    meta_net_def.modelInfo.project = project_str
    meta_net_def.modelInfo.modelClass = model_class_str
    meta_net_def.modelInfo.version = version


def save_to_db(
    db_type: str,
    db_destination: str,
    predictor_export_meta: PredictorExportMeta,
    use_ideep: bool = False,
    *args: Any,
    **kwargs: Any,
) -> None:
    """Write a model, with its parameters from the workspace, to a database; `kwargs` go to the operator Save."""
    meta_net_def = get_meta_net_def(predictor_export_meta, db_type=db_type)
    with core.DeviceScope(core.DeviceOption(caffe2_pb2.CPU)):
        workspace.FeedBlob(predictor_constants.META_NET_DEF, serde.serialize_protobuf_struct(meta_net_def))
    save = core.CreateOperator(
        "Save",
        [predictor_constants.META_NET_DEF, *predictor_export_meta.parameters],
        [],
        device_option=core.DeviceOption(caffe2_pb2.IDEEP if use_ideep else caffe2_pb2.CPU),
        absolute_path=True,
        db=db_destination,
        db_type=db_type,
        **kwargs,
    )
    workspace.RunOperatorOnce(save)


def load_from_db(
    filename: str, db_type: str, device_option: caffe2_pb2.DeviceOption | None = None, *args: Any, **kwargs: Any
) -> metanet_pb2.MetaNetDef:
    """Open the database of a model; the message that describes it, with all operators on the device, if one is given.

    Its global init net loads the parameters from the database, which stays open as a blob.
    """
    reader = core.BlobReference(predictor_constants.PREDICTOR_DBREADER)
    description = core.BlobReference(predictor_constants.META_NET_DEF)
    workspace.RunOperatorOnce(core.CreateOperator("CreateDB", [], [reader], db=filename, db_type=db_type))
    workspace.RunOperatorOnce(core.CreateOperator("Load", [reader], [description]))
    blob = workspace.FetchBlob(description)
    data = blob if isinstance(blob, bytes) else str(blob).encode()
    meta_net_def = serde.deserialize_protobuf_struct(data, metanet_pb2.MetaNetDef)
    device_option = scope.CurrentDeviceScope() if device_option is None else device_option
    if device_option is not None:
        for entry in meta_net_def.nets:
            for op in entry.value.op:
                op.device_option.CopyFrom(device_option)
    return meta_net_def
