"""FTRL-proximal, by element and by group."""

from __future__ import annotations

from typing import Any, ClassVar

from caffe2.python import core
from caffe2.python._misuse import demand
from caffe2.python._optimizer.build import _build
from caffe2.python._optimizer.optimizer import Optimizer
from caffe2.python.model_helper import ModelHelper
from caffe2.python.modeling.parameter_info import ParameterInfo


class FtrlOptimizer(Optimizer):
    """Follow the regularized leader: penalties lambda1 |p| + lambda2 p^2 / 2. McMahan et al., 2013.

    alpha, beta: the rate of an element is alpha / (beta + sqrt(n)), n the sum of its squared gradients.
    Arguments in common are those of AdagradOptimizer.
    """

    _rate = "alpha"
    _state_suffix: ClassVar[str] = "ftrl_nz"

    def __init__(
        self,
        alpha: float = 0.01,
        beta: float = 1e-4,
        lambda1: float = 0,
        lambda2: float = 0,
        sparse_dedup_aggregator: str | None = None,
        engine: str = "",
    ) -> None:
        super().__init__()
        self.alpha = alpha
        self.beta = beta
        self.lambda1 = lambda1
        self.lambda2 = lambda2
        self.sparse_dedup_aggregator = sparse_dedup_aggregator
        self.engine = engine

    def _run(self, net: core.Net, param_init_net: core.Net, param_info: ParameterInfo) -> None:
        if self.alpha <= 0:
            return
        param = param_info.blob
        state = param_init_net.ConstantFill([param], f"{param}_{self._state_suffix}", extra_shape=[2], value=0.0)
        self._aux_params.local.append(state)
        arguments = {name: getattr(self, name) for name in ("engine", "alpha", "beta", "lambda1", "lambda2")}
        self._add_update(net, [param, state], param_info.grad, arguments)

    def _add_update(self, net: core.Net, state: list[Any], grad: Any, arguments: dict[str, Any]) -> None:
        if isinstance(grad, core.GradientSlice):
            grad = self.dedup(net, self.sparse_dedup_aggregator, grad)
            net.SparseFtrl([*state, grad.indices, grad.values], state, **arguments)
        else:
            net.Ftrl([*state, grad], state, **arguments)


class GFtrlOptimizer(FtrlOptimizer):
    """FTRL with the penalty lambda1 ||column|| of each column of a matrix, so that whole columns become 0."""

    _state_suffix = "gftrl_nz"

    def _add_update(self, net: core.Net, state: list[Any], grad: Any, arguments: dict[str, Any]) -> None:
        net.GFtrl([*state, grad], state, **arguments)


def _demand_simd(*operators: str) -> None:
    for operator in operators:
        demand(core.IsOperator(f"{operator}_ENGINE_SIMD"), f"operator {operator} has no engine SIMD")


def build_ftrl(model: ModelHelper, engine: str = "SIMD", **kwargs: Any) -> FtrlOptimizer:
    """Update the parameters of a model by FTRL, which `kwargs` go to."""
    if engine == "SIMD":
        _demand_simd("Ftrl", "SparseFtrl")
    return _build(model, FtrlOptimizer(engine=engine, **kwargs))


def build_gftrl(model: ModelHelper, engine: str = "", **kwargs: Any) -> GFtrlOptimizer:
    """Update the parameters of a model by group FTRL, which `kwargs` go to."""
    if engine == "SIMD":
        _demand_simd("GFtrl")
    return _build(model, GFtrlOptimizer(engine=engine, **kwargs))
