"""Layers: a record in, a record out, parameters, and operators for each kind of net."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from caffe2.proto import caffe2_pb2
from caffe2.python import core, schema, scope, utils
from caffe2.python._misuse import demand
from caffe2.python.layers._layers.parameter import LayerParameter, LayerPsParam
from caffe2.python.layers._layers.records import is_request_only_scalar, set_request_only
from caffe2.python.layers.tags import TagContext

if TYPE_CHECKING:
    from caffe2.python.layer_model_helper import LayerModelHelper


class InstantiationContext:
    """The kinds of nets that a layer adds operators to."""

    ACCUMULATE_PRED = "accumulate_pred"
    EVAL = "eval"
    PREDICTION = "prediction"
    TRAINING = "training"


class ModelLayer:
    """A layer of a LayerModelHelper; a subclass sets output_schema, creates parameters, and adds operators in add_ops.

    prefix: the layer's name, which is made unique in the model.
    input_record: what the layer reads; with predict_input_record_fields, these fields alone for prediction.
    tags: see Tags.
    """

    def __init__(
        self,
        model: LayerModelHelper,
        prefix: str,
        input_record: schema.Field,
        predict_input_record_fields: Any = None,
        tags: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        self.name = model.next_layer_name(prefix)
        self.model = model
        self.kwargs = kwargs
        self._input_record = input_record
        fields = predict_input_record_fields
        if fields:
            fields = fields if isinstance(fields, list) else [fields]
        self._predict_input_record = input_record[fields] if fields else None
        scalars = input_record.all_scalars()
        self.request_only = len(scalars) > 0 and all(map(is_request_only_scalar, scalars))
        self.precomputation_request_only = False
        self.precomputation_object_only = False
        self._output_schema: Any = None
        self._predict_output_schema: Any = None
        self.eval_output_schema: Any = None
        self.tags = {*(tags or ()), *TagContext.current().tags}
        self.params: list[LayerParameter] = []
        self._export_output_for_metrics = False
        self._export_params_for_metrics = False

    def get_type(self) -> str:
        """The name of the class."""
        return type(self).__name__

    # Records

    def _check_output_schema(self) -> None:
        demand(self._output_schema is not None, f"layer {self.name} has set no output_schema")
        predicted = self._predict_output_schema
        demand(
            predicted is None or schema.is_schema_subset(predicted, self._output_schema),
            f"layer {self.name}: predict_output_schema is not a subset of output_schema",
        )

    @property
    def predict_input_record(self) -> schema.Field:
        """What the layer reads for prediction."""
        return self._predict_input_record or self._input_record

    @property
    def input_record(self) -> schema.Field:
        """What the layer reads."""
        return self._input_record

    @property
    def predict_output_schema(self) -> schema.Field:
        """What the layer writes for prediction; it can be set once."""
        self._check_output_schema()
        return self._predict_output_schema or self._output_schema

    @predict_output_schema.setter
    def predict_output_schema(self, output_schema: schema.Field) -> None:
        demand(self._predict_output_schema is None, f"layer {self.name} has a predict_output_schema already")
        self._predict_output_schema = output_schema

    @property
    def output_schema(self) -> schema.Field:
        """What the layer writes; it can be set once."""
        if self.request_only:
            set_request_only(self._output_schema)
        self._check_output_schema()
        return self._output_schema

    @output_schema.setter
    def output_schema(self, output_schema: schema.Field) -> None:
        demand(self._output_schema is None, f"layer {self.name} has an output_schema already")
        self._output_schema = output_schema

    # Parameters

    def get_parameters(self) -> list[LayerParameter]:
        """The parameters."""
        return self.params

    def get_fp16_compatible_parameters(self) -> list[core.BlobReference]:
        """The parameters that may be float16 for prediction."""
        return []

    def get_memory_usage(self) -> int:
        """The bytes that the parameters take, as far as they matter."""
        return 0

    def get_accessed_features(self) -> dict[str, Any]:
        """The features that the layer reads, by field."""
        return {}

    def add_init_params(self, init_net: core.Net) -> None:
        """Append the operators that fill the parameters, unless they are there already."""
        device = scope.CurrentDeviceScope()
        for param in self.params:
            if param.initializer is None:
                continue
            fill = caffe2_pb2.OperatorDef()
            fill.CopyFrom(param.initializer)
            if device and not fill.HasField("device_option"):
                fill.device_option.CopyFrom(device)
            # The net is not told, as in the original: what reads the parameter there makes it an external input too.
            ops = init_net._net.op
            if not any(utils.OpAlmostEqual(op, fill, "debug_info") for op in ops):
                ops.append(fill)

    def create_param(
        self,
        param_name: str,
        shape: Sequence[int] | None,
        initializer: tuple[Any, ...],
        optimizer: Any,
        ps_param: LayerPsParam | None = None,
        regularizer: Any = None,
    ) -> core.BlobReference:
        """A new parameter LAYER/param_name; see LayerModelHelper.create_param. Raises Misuse for one twice."""
        with scope.NameScope(self.name, reset=True):
            param = self.model.create_param(
                param_name=param_name,
                shape=shape,
                initializer=initializer,
                optimizer=optimizer,
                ps_param=ps_param,
                regularizer=regularizer,
            )
        known = {p.parameter for p in self.params}
        demand(param.parameter not in known, f"layer {self.name} has the parameter {param} already")
        self.params.append(param)
        return param.parameter

    def get_next_blob_reference(self, name: str) -> core.BlobReference:
        """A new blob LAYER/name, the name made unique."""
        with scope.NameScope(self.name, reset=True):
            return self.model.net.NextScopedBlob(name)

    # Operators

    def add_operators(
        self, net: core.Net, init_net: core.Net | None = None, context: str = InstantiationContext.TRAINING
    ) -> None:
        """Append the layer's operators to a net of the kind `context`, and the filling of its parameters to init_net.

        Raises Misuse without init_net for training.
        """
        kinds = InstantiationContext
        add = {
            kinds.TRAINING: self.add_train_ops,
            kinds.EVAL: self.add_eval_ops,
            kinds.ACCUMULATE_PRED: self.add_ops_to_accumulate_pred,
        }.get(context, self.add_ops)
        with scope.NameScope(self.name):
            demand(
                init_net or context in (kinds.PREDICTION, kinds.EVAL, kinds.ACCUMULATE_PRED),
                f"layer {self.name}: a net for {context} needs an init net",
            )
            if init_net:
                self.add_init_params(init_net)
            add(net)
            if self._export_params_for_metrics and context in (kinds.TRAINING, kinds.EVAL):
                self.add_param_copy_operators(net)

    def add_ops(self, net: core.Net) -> None:
        """Append the operators for prediction."""
        raise NotImplementedError(f"{self.get_type()} does not say what its operators are")

    def add_eval_ops(self, net: core.Net) -> None:
        """Append the operators for evaluation, by default those for prediction."""
        self.add_ops(net)

    def add_train_ops(self, net: core.Net) -> None:
        """Append the operators for training, by default those for evaluation."""
        self.add_eval_ops(net)

    def add_ops_to_accumulate_pred(self, net: core.Net) -> None:
        """Append the operators for the accumulation of predictions, by default those for evaluation."""
        self.add_eval_ops(net)

    # Metrics

    def add_param_copy_operators(self, net: core.Net) -> None:
        """Append the copying of the parameters to the metrics."""
        for param in self.params:
            net.Copy([param.parameter], self.model.metrics_schema[str(param.parameter)].field_blobs())

    def export_output_for_metrics(self) -> None:
        """Make the output a metric of the model, LAYER/output."""
        self._export_output_for_metrics = True
        self.model.add_metric_field(self.name + "/output", self.output_schema)

    def export_params_for_metrics(self) -> None:
        """Make copies of the parameters metrics of the model, under the parameters' names."""
        self._export_params_for_metrics = True
        for param in self.params:
            copy = self.get_next_blob_reference(str(param).split("/")[-1] + "_copy")
            self.model.add_metric_field(str(param.parameter), copy)
