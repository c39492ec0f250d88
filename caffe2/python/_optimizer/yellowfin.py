"""YellowFin: SGD with momentum that tunes its rate and momentum itself."""

from __future__ import annotations

from typing import Any

from caffe2.python import core, utils
from caffe2.python._misuse import demand
from caffe2.python._optimizer.build import _build
from caffe2.python._optimizer.optimizer import Optimizer
from caffe2.python.model_helper import ModelHelper
from caffe2.python.modeling.parameter_info import ParameterInfo

SCALARS_MEMORY_SIZE = 5


class YellowFinOptimizer(Optimizer):
    """SGD with rate and momentum from a local quadratic model, at first alpha and mu. Zhang and Mitliagkas, 2017.

    beta: the share that running averages keep; zero_debias: correct them for their start at 0.
    curv_win_width: how many runs the range of curvatures is taken over.
    """

    _rate = "alpha"

    def __init__(
        self,
        alpha: float = 0.1,
        mu: float = 0.0,
        beta: float = 0.999,
        curv_win_width: int = 20,
        zero_debias: bool = True,
        epsilon: float = 0.1**6,
        policy: str = "fixed",
        sparse_dedup_aggregator: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        self.alpha = alpha
        self.mu = mu
        self.beta = beta
        self.curv_win_width = curv_win_width
        self.zero_debias = zero_debias
        self.epsilon = epsilon
        self.policy = policy
        self.sparse_dedup_aggregator = sparse_dedup_aggregator
        self.init_kwargs = kwargs

    def _run(self, net: core.Net, param_init_net: core.Net, param_info: ParameterInfo) -> None:
        param, grad = param_info.blob, param_info.grad
        demand(self.alpha > 0, f"Expect positive alpha, got {self.alpha}")
        demand(not isinstance(grad, core.GradientSlice), "YellowFin does not support sparse gradients")
        made: dict[str, Any] = {}
        for suffix, source, arguments in (
            ("moment", [param], {"value": 0.0}),
            ("curv_win", [], {"shape": [self.curv_win_width], "value": 0.0}),
            ("g_avg", [param], {"value": 0.0}),
            ("g2_avg", [param], {"value": 0.0}),
            ("lr_avg", [], {"shape": [1], "value": self.alpha}),
            ("mu_avg", [], {"shape": [1], "value": self.mu}),
            ("scalars_memory", [], {"shape": [SCALARS_MEMORY_SIZE], "value": 0.0}),
        ):
            made[suffix] = param_init_net.ConstantFill(source, f"{param}_{suffix}", **arguments)
        iteration = utils.BuildUniqueMutexIter(param_init_net, net, iter_val=0)
        order = ("moment", "lr_avg", "mu_avg", "curv_win", "g_avg", "g2_avg", "scalars_memory")
        state = [made[suffix] for suffix in order]
        self._aux_params.shared.append(iteration)
        self._aux_params.local.extend(state)
        net.YellowFin(
            [param, *state, grad, iteration],
            [param, *state],
            beta=self.beta,
            epsilon=self.epsilon,
            curv_win_width=self.curv_win_width,
            zero_debias=self.zero_debias,
        )


def build_yellowfin(model: ModelHelper, base_learning_rate: float = 0.1, **kwargs: Any) -> YellowFinOptimizer:
    """Update the parameters of a model by YellowFin, which `kwargs` go to."""
    return _build(model, YellowFinOptimizer(alpha=base_learning_rate, **kwargs))
