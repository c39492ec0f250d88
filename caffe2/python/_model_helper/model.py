"""Models: a net, the net that initializes its parameters, and what is known of these."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from caffe2.python import core, scope
from caffe2.python._core.operators import no_such_method
from caffe2.python._misuse import demand
from caffe2.python._model_helper.operators import KNOWN_OPERATORS
from caffe2.python.helpers.db_input import db_input
from caffe2.python.modeling.initializers import ExternalInitializer, Initializer
from caffe2.python.modeling.parameter_info import ParameterInfo, ParameterTags
from caffe2.python.modeling.parameter_sharing import parameter_sharing_context
from caffe2.python.optimizer_context import DEFAULT_OPTIM, OptimizerContext
from caffe2.python.regularizer_context import RegularizerContext

logger = logging.getLogger(__name__)


class ModelHelper:
    """A model under construction: `net` computes, `param_init_net` fills the parameters once.

    `model.Relu("x", "y")` is `model.net.Relu("x", "y")`; the functions of caffe2.python.brew add parameters too.

    name: of the net; the other one's is NAME_init.
    init_params: whether building functions fill parameters, or find them in the workspace.
    allow_not_known_ops: whether operators that are not known to need no special care may be created.
    skip_sparse_optim: leave parameters with sparse gradients out of the optimization.
    param_model: a model whose parameters and param_init_net are this model's too.
    arg_scope: arguments that building functions take on.
    """

    def __init__(
        self,
        name: str | None = None,
        init_params: bool = True,
        allow_not_known_ops: bool = True,
        skip_sparse_optim: bool = False,
        param_model: ModelHelper | None = None,
        arg_scope: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = name or "model"
        self.net = core.Net(self.name)
        if param_model is None:
            self.param_init_net = core.Net(self.name + "_init")
            self.param_to_grad: dict[core.BlobReference, Any] = {}
            self.params: list[core.BlobReference] = []
            self._parameters_info: dict[Any, ParameterInfo] = {}
            self._computed_params: list[core.BlobReference] = []
        else:
            self.param_init_net = param_model.param_init_net
            self.param_to_grad = param_model.param_to_grad
            self.params = param_model.params
            self._parameters_info = param_model._parameters_info
            self._computed_params = param_model._computed_params
        self._param_info_deprecated: list[ParameterInfo] = []
        self._devices: list[int] = []
        self.gradient_ops_added = False
        self.init_params = init_params
        self.allow_not_known_ops = allow_not_known_ops
        self.skip_sparse_optim = skip_sparse_optim
        self.weights: list[core.BlobReference] = []
        self.biases: list[core.BlobReference] = []
        self._arg_scope = {"order": "NCHW", "use_cudnn": True, "cudnn_exhaustive_search": False, **(arg_scope or {})}

    @property
    def arg_scope(self) -> dict[str, Any]:
        """The arguments that building functions take on."""
        return self._arg_scope

    def get_name(self) -> str:
        """The name of the model."""
        return self.name

    # Parameters

    def _infer_param_shape(self, param: Any) -> list[int] | None:
        for op in self.param_init_net.Proto().op:
            if str(param) in op.output:
                for arg in op.arg:
                    if arg.name == "shape":
                        return list(arg.ints)
        return None

    def _update_param_info_deprecated(self) -> None:
        """Know of the parameters that were added since, and of the gradients."""
        infos = self._param_info_deprecated
        demand(len(infos) <= len(self.params), "parameters were taken out of the model")
        for param in self.params[len(infos) :]:
            _demand_reference(param)
            infos.append(ParameterInfo(param_id=len(infos), param=param, shape=self._infer_param_shape(param)))
        for info in infos:
            info.grad = self.param_to_grad.get(info.name)

    def _normalize_tags(self, tags: Any) -> set[str]:
        return set(tags) if isinstance(tags, list) else {tags} if tags else set()

    def create_param(
        self,
        param_name: core.BlobReference | str,
        shape: Sequence[int],
        initializer: Initializer | ExternalInitializer,
        tags: Any = None,
    ) -> core.BlobReference:
        """The parameter of this name, which `initializer` makes with this shape unless the model has it.

        param_name: a reference is taken as it is. A string is a name in the current scope, or in the scope that this
            one shares parameters with (see ParameterSharing).
        tags: one or a list of ParameterTags. The optimizer in use for a tag, or else the one in use for all, becomes
            the parameter's.
        Raises Misuse where the model has the parameter with another shape.
        """
        if isinstance(param_name, core.BlobReference):
            param_name = str(param_name)
        elif isinstance(param_name, str):
            param_name = parameter_sharing_context.get_parameter_name(param_name)
        else:
            raise TypeError(f"a parameter is named by a string or a BlobReference, not {param_name!r}")
        known = self._parameters_info.get(param_name)
        if known is not None:
            demand(known.shape == shape, f"parameter {param_name} has shape {known.shape}, not {shape}")
            return known.blob
        info = initializer.create_param(
            param_name=core.BlobReference(param_name), init_net=self.param_init_net, shape=shape
        )
        self._lend_modifiers(info, self._normalize_tags(tags))
        self._parameters_info[param_name] = info
        self.AddParameter(info.blob, tags)
        return info.blob

    @staticmethod
    def _lend_modifiers(info: ParameterInfo, tags: Iterable[str]) -> None:
        """Give a parameter the optimizer and the regularizers in use."""
        optimizers = OptimizerContext.current()
        for tag in tags:
            if optimizers.has_optimizer(tag):
                info.optimizer = optimizers.get_optimizer(tag)
        if not info.optimizer and optimizers.has_optimizer(DEFAULT_OPTIM):
            info.optimizer = optimizers.get_optimizer(DEFAULT_OPTIM)
        info.regularizer = RegularizerContext.current()

    def get_param_info(self, param: core.BlobReference) -> ParameterInfo | None:
        """What is known of a parameter; None where nothing is."""
        demand(isinstance(param, core.BlobReference), f"a parameter is a BlobReference, not {param!r}")
        return self._parameters_info.get(param)

    def add_param_DEPRECATED(
        self, param: core.BlobReference, key: Any = None, shape: Sequence[int] | None = None, length: int | None = None
    ) -> ParameterInfo:
        """Take a blob for a parameter; create_param also makes it.

        key: the blob of a field of the input record that the parameter belongs to.
        """
        logger.warning("add_param_DEPRECATED is deprecated; use create_param")
        _demand_reference(param)
        self._update_param_info_deprecated()
        self.AddParameter(param)
        record = self.net.input_record()
        if key is not None and record is not None:
            key = record.field_names()[record.field_blobs().index(key)]
        shape = self._infer_param_shape(param) if shape is None else shape
        number = len(self._param_info_deprecated)
        self._param_info_deprecated.append(ParameterInfo(number, param, key=key, shape=shape, length=length))
        return self._param_info_deprecated[-1]

    def AddParameter(self, param: core.BlobReference, tags: Any = None) -> None:
        """Take a blob for a parameter; one tagged COMPUTED_PARAM is not trained."""
        demand(isinstance(param, core.BlobReference), f"a parameter is a BlobReference, not {param!r}")
        tags = self._normalize_tags(tags)
        computed = ParameterTags.COMPUTED_PARAM in tags
        (self._computed_params if computed else self.params).append(param)
        if ParameterTags.WEIGHT in tags:
            self.weights.append(param)
        if ParameterTags.BIAS in tags:
            self.biases.append(param)

    @staticmethod
    def _NormalizeNamescope(namescope: str | None) -> str:
        if namescope is None:
            return scope.CurrentNameScope()
        separator = scope._NAMESCOPE_SEPARATOR
        return namescope if namescope.endswith(separator) or not namescope else namescope + separator

    def _within(self, params: list[core.BlobReference], namescope: str | None) -> list[core.BlobReference]:
        prefix = self._NormalizeNamescope(namescope)
        return [p for p in params if p.GetNameScope().startswith(prefix)]

    def GetParams(self, namescope: str | None = None, top_scope: bool = False) -> list[core.BlobReference]:
        """The trained parameters within a scope, by default the current one."""
        return self._within(self.params, namescope)

    def GetComputedParams(self, namescope: str | None = None) -> list[core.BlobReference]:
        """The parameters within a scope that are computed rather than trained, such as running means."""
        return self._within(self._computed_params, namescope)

    def GetAllParams(self, namescope: str | None = None) -> list[core.BlobReference]:
        """The trained and the computed parameters within a scope."""
        return self.GetParams(namescope) + self.GetComputedParams(namescope)

    def _Validate(self) -> list[str]:
        names = sorted(map(str, self.params))
        return sorted({a for a, b in zip(names, names[1:]) if a == b})

    def Validate(self) -> None:
        """Raise Misuse where a parameter was added twice."""
        twice = self._Validate()
        demand(not twice, f"Duplicate params: {twice}")

    # Gradients

    def AddGradientOperators(self, *args: Any, **kwargs: Any) -> dict[core.BlobReference, Any]:
        """Append the operators for the derivatives of blobs to the net, once; the gradient of each blob that has one.

        Arguments are those of Net.AddGradientOperators.
        """
        if self.gradient_ops_added:
            raise RuntimeError("You cannot run AddGradientOperators twice.")
        self.Validate()
        self.gradient_ops_added = True
        self.grad_map = self.net.AddGradientOperators(*args, **kwargs)
        self.param_to_grad = self.get_param_to_grad(self.params)
        for param, grad in self.param_to_grad.items():
            info = self.get_param_info(param)
            if info:
                info.grad = grad
            else:
                self._parameters_info[param] = ParameterInfo(param_id=None, param=param, grad=grad)
        return self.grad_map

    def get_param_to_grad(self, params: Iterable[core.BlobReference]) -> dict[core.BlobReference, Any]:
        """The gradient of each of these parameters that has one. Raises RuntimeError before AddGradientOperators."""
        self._demand_gradients()
        return {p: self.grad_map[str(p)] for p in params if str(p) in self.grad_map}

    def GetOptimizationParamInfo(self, params: Iterable[core.BlobReference] | None = None) -> list[ParameterInfo]:
        """What is known of the parameters, all or these, to be optimized."""
        self._demand_gradients()
        gradients = self.get_param_to_grad(params) if params else self.param_to_grad
        return [
            self.get_param_info(param)
            for param, grad in gradients.items()
            if not (self.skip_sparse_optim and isinstance(grad, core.GradientSlice))
        ]

    def _demand_gradients(self) -> None:
        if not self.gradient_ops_added:
            raise RuntimeError("You need to run AddGradientOperators first.")

    # Nets

    def Proto(self) -> Any:
        """The net's NetDef."""
        return self.net.Proto()

    def InitProto(self) -> Any:
        """The NetDef of the net that fills the parameters."""
        return self.param_init_net.Proto()

    def RunAllOnGPU(self, *args: Any, **kwargs: Any) -> None:
        """Put both nets on a GPU."""
        self.param_init_net.RunAllOnGPU(*args, **kwargs)
        self.net.RunAllOnGPU(*args, **kwargs)

    def CreateDB(self, blob_out: Any, db: str, db_type: str, **kwargs: Any) -> core.BlobReference:
        """A reader of the database at `db`, made once."""
        return self.param_init_net.CreateDB([], blob_out, db=db, db_type=db_type, **kwargs)

    def TensorProtosDBInput(
        self, unused_blob_in: Sequence[Any], blob_out: Any, batch_size: int, db: str, db_type: str, **kwargs: Any
    ) -> Any:
        """The next records of the database at `db`, as brew.db_input; the net's own operator takes a reader."""
        demand(
            not len(unused_blob_in),
            "model.TensorProtosDBInput makes its own reader; to give it one, use model.net.TensorProtosDBInput",
        )
        return db_input(self, blob_out, batch_size, db, db_type, **kwargs)

    def GetDevices(self) -> list[int]:
        """The GPUs that the model was made parallel over."""
        demand(self._devices, "the model is not parallel; data_parallel_model makes it run on several GPUs")
        return self._devices

    def __getattr__(self, op_type: str) -> Any:
        if op_type.startswith("__"):
            raise AttributeError(op_type)
        if not core.IsOperator(op_type):
            raise no_such_method(op_type)
        if op_type not in KNOWN_OPERATORS:
            if not self.allow_not_known_ops:
                raise AttributeError(f"Operator {op_type} is not known to be safe")
            logger.warning("You are creating an op that the ModelHelper does not recognize: %s.", op_type)
        return getattr(self.net, op_type)

    def __dir__(self) -> list[str]:
        return sorted({*dir(type(self)), *vars(self), *KNOWN_OPERATORS})

    def GetCompleteNet(self) -> core.Net:
        """One net that fills the parameters and then computes; ConstructInitTrainNetfromNet takes it apart again."""
        complete = self.param_init_net.Clone(self.name + "_complete_net", keep_schema=True)
        for op in complete.Proto().op:
            op.debug_info += _INIT_MARK
        complete.AppendNet(self.net)
        if self.net.Proto().HasField("type"):
            complete.Proto().type = self.net.Proto().type
        return complete

    def ConstructInitTrainNetfromNet(self, net: core.Net) -> None:
        """Take param_init_net and net from a complete net: the operators that fill parameters, and the others."""
        fills = [op.debug_info.endswith(_INIT_MARK) for op in net.Proto().op]
        self.param_init_net, self.net = (
            net.Clone(
                net.Name() + suffix,
                keep_schema=True,
                op_id_mask=[i for i, fill in enumerate(fills) if fill == wanted],
                update_external_list=True,
            )
            for suffix, wanted in (("/generated_param_init_net", True), ("/generated_net", False))
        )


_INIT_MARK = "/param_init_net"
"""What marks the operators that fill parameters, at the end of debug_info."""


def _demand_reference(param: Any) -> None:
    if not isinstance(param, core.BlobReference):
        raise ValueError(f"Param {param} must be a BlobReference!")
