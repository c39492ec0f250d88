"""Models of layers: records in, records out, and nets for training, evaluation and prediction made from them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from caffe2.python import core, model_helper, schema, scope
from caffe2.python._layer_model_helper.constants import GlobalConstants
from caffe2.python._layer_model_helper.outputs import Outputs
from caffe2.python._layer_model_helper.training import Training
from caffe2.python._misuse import demand
from caffe2.python.layers import layers
from caffe2.python.modeling.parameter_info import ParameterInfo
from caffe2.python.modeling.parameter_sharing import parameter_sharing_context
from caffe2.python.optimizer import Optimizer

_FUNCTIONAL = "FunctionalLayer"
"""What may stand before an operator's name to create it as a layer, where a layer has the same name."""


class LayerModelHelper(GlobalConstants, Outputs, Training, model_helper.ModelHelper):
    """A model of layers: `model.FC(record, 10)` adds a layer and gives its output record.

    Any registered layer can be created so, and any operator, as a Functional layer. The functions of
    layer_model_instantiator make nets of the model.

    input_feature_schema, trainer_extra_schema: the records that are read in every net, and for training alone.
    keep_blobs: the records' blobs are those to read, not new ones.
    use_attribution: free for a program's own use.
    """

    def __init__(
        self,
        name: str,
        input_feature_schema: schema.Field,
        trainer_extra_schema: schema.Field,
        keep_blobs: bool = False,
        use_attribution: bool = True,
    ) -> None:
        super().__init__(name=name)
        self._layer_names: set[str] = set()
        self._layers: list[layers.ModelLayer] = []
        self._param_to_shape: dict[str, Any] = {}
        self._breakdown_map: dict[str, int] | None = None
        self._init_outputs()
        self._init_training()
        self._input_feature_schema, self._trainer_extra_schema = (
            record.clone() if keep_blobs else schema.NewRecord(self.net, record)
            for record in (input_feature_schema, trainer_extra_schema)
        )
        self._init_global_constants()
        self.param_init_net = self.create_init_net("param_init_net")
        self._initialize_params = True
        self._transfer_learning_blob_name_mappings: Mapping[str, str] | None = None
        self.ad_hoc_diagnose_blobs_and_operations: list[Any] = []
        self.ad_hoc_plot_blobs: list[Any] = []
        self.use_attribution = use_attribution

    def set_initialize_params(self, initialize_params: bool) -> None:
        """Whether init nets fill the parameters of layers created from now on."""
        self._initialize_params = initialize_params

    # Records

    @property
    def input_feature_schema(self) -> schema.Field:
        """The record that every net reads."""
        return self._input_feature_schema

    @property
    def trainer_extra_schema(self) -> schema.Field:
        """The record that is read for training and evaluation, too."""
        return self._trainer_extra_schema

    def add_trainer_extra_schema(self, trainer_extra_schema: schema.Field) -> None:
        """Add to the record that is read for training."""
        self._trainer_extra_schema += schema.NewRecord(self.net, trainer_extra_schema)

    @property
    def transfer_learning_blob_name_mappings(self) -> Mapping[str, str] | None:
        """Names of blobs in a model that this one starts from, by those here."""
        return self._transfer_learning_blob_name_mappings

    @transfer_learning_blob_name_mappings.setter
    def transfer_learning_blob_name_mappings(self, blob_name_mappings: Mapping[str, str]) -> None:
        demand(blob_name_mappings is not None, "Transfer learning blob name mappings should not be None")
        self._transfer_learning_blob_name_mappings = blob_name_mappings

    @property
    def breakdown_map(self) -> dict[str, int] | None:
        """The position, from 0 on, of each thing that metrics are broken down by."""
        return self._breakdown_map

    @breakdown_map.setter
    def breakdown_map(self, breakdown_map: dict[str, int]) -> None:
        ordered = isinstance(breakdown_map, dict) and sorted(breakdown_map.values()) == list(range(len(breakdown_map)))
        demand(
            ordered and all(isinstance(k, str) for k in breakdown_map),
            f"a breakdown map takes strings to 0, 1, ..., which this does not: {breakdown_map!r}",
        )
        self._breakdown_map = breakdown_map

    # Parameters

    def create_param(
        self,
        param_name: core.BlobReference | str,
        shape: Sequence[int] | None,
        initializer: tuple[Any, ...],
        optimizer: Any = None,
        ps_param: layers.LayerPsParam | None = None,
        regularizer: Any = None,
    ) -> layers.LayerParameter:
        """A parameter, filled by an operator: its name and, if it has any, its arguments.

        param_name: a reference is taken as it is; a string is a name in the current scope, or in the scope that this
            one shares parameters with.
        Raises Misuse where the parameter is shared and has another optimizer, ValueError where it has another shape.
        """
        if isinstance(param_name, core.BlobReference):
            param_name = str(param_name)
        elif isinstance(param_name, str):
            param_name = parameter_sharing_context.get_parameter_name(param_name)
        else:
            raise ValueError(f"a parameter is named by a string or a BlobReference, not {param_name!r}")
        operator, arguments = initializer if len(initializer) == 2 else (*initializer, {})
        arguments = copy.deepcopy(arguments)
        if shape is not None:
            demand("shape" not in arguments, f"the shape of {param_name} is given twice: {shape}, {arguments}")
            arguments["shape"] = shape
        blob = core.BlobReference(param_name)
        fill = core.CreateOperator(operator, [], blob, **arguments) if self._initialize_params else None
        param = layers.LayerParameter(blob, optimizer, fill, ps_param, regularizer)
        self._validate_param_shape(param_name, shape)
        self._validate_param_optim(param_name, optimizer)
        self._param_to_shape[param_name] = shape
        return param

    def _validate_param_shape(self, param_name: str, shape: Sequence[int] | None) -> None:
        before = self._param_to_shape.get(param_name, shape)
        if shape != before:
            raise ValueError(
                f"Got inconsistent shapes between shared parameters: {param_name} has shape {before}, and {shape} in"
                f" scope {scope.CurrentNameScope()}"
            )

    def _validate_param_optim(self, param_name: str, optim: Any) -> None:
        if param_name not in self.param_to_optim:
            return
        before = self.param_to_optim[param_name]
        if optim is None:
            same = before == self._default_optimizer
        elif optim == self.NoOptim:
            same = before == self.NoOptim
        elif isinstance(optim, Optimizer):
            same = type(optim) is type(before) and optim.attributes == before.attributes
        else:
            raise ValueError(f"an optimizer is None, NoOptim or an Optimizer, not {optim!r}")
        demand(same, f"the shared parameter {param_name} has the optimizer {before!r}, and now {optim!r}")

    def get_parameter_blobs(self) -> list[core.BlobReference]:
        """The parameters of all layers."""
        return [param.parameter for layer in self._layers for param in layer.get_parameters()]

    # Layers

    @property
    def layers(self) -> list[layers.ModelLayer]:
        """The layers, in order."""
        return self._layers

    def next_layer_name(self, prefix: str) -> str:
        """A name for a layer in the current scope that none has: the prefix, or that with _auto_0, _auto_1 ..."""
        base = core.ScopedName(prefix)
        name, index = base, 0
        while name in self._layer_names:
            name, index = f"{base}_auto_{index}", index + 1
        self._layer_names.add(name)
        return name

    def add_layer(self, layer: layers.ModelLayer) -> schema.Field:
        """Append a layer; its output record."""
        self._layers.append(layer)
        for param in layer.get_parameters():
            blob = param.parameter
            demand(isinstance(blob, core.BlobReference), f"a parameter is a BlobReference, not {blob!r}")
            self.param_to_optim[str(blob)] = param.optimizer or self.default_optimizer
            self.params.append(blob)
            if isinstance(param, layers.LayerParameter):
                self.param_to_reg[blob] = param.regularizer
            elif not isinstance(param, ParameterInfo):
                raise ValueError(f"a layer's parameter is a LayerParameter or a ParameterInfo, not {param!r}")
        layer.add_operators(self.net, self.param_init_net)
        return layer.output_schema

    def __getattr__(self, layer: str) -> Callable[..., schema.Field]:
        if layer.startswith("__"):
            raise AttributeError(layer)
        operator = layer if core.IsOperator(layer) else layer.removeprefix(_FUNCTIONAL)
        if not layers.layer_exists(layer) and operator == layer and not core.IsOperator(layer):
            raise AttributeError(f"Trying to create non-registered layer: {layer}")

        def create(*args: Any, **kwargs: Any) -> schema.Field:
            if layers.layer_exists(layer):
                made = layers.create_layer(layer, self, *args, **kwargs)
            else:
                function = _operator_on_records(operator)
                named = {"name": operator, **kwargs}
                made = layers.create_layer("Functional", self, *args, function=function, **named)
            if kwargs.get("output_to_metrics"):
                made.export_output_for_metrics()
            if kwargs.get("params_to_metrics"):
                made.export_params_for_metrics()
            return self.add_layer(made)

        return create


def _operator_on_records(operator: str) -> Callable[..., None]:
    """A function that appends an operator between the blobs of two records."""

    def append(net: core.Net, in_record: schema.Field, out_record: schema.Field, **kwargs: Any) -> None:
        getattr(net, operator)(in_record.field_blobs(), out_record.field_blobs(), **kwargs)

    return append
