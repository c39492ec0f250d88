"""The model that translation is built on: it also knows parameters that are not trained."""

from __future__ import annotations

from typing import Any

from caffe2.python import core, scope
from caffe2.python._misuse import demand
from caffe2.python.model_helper import ModelHelper

Blob = core.BlobReference


class Seq2SeqModelHelper(ModelHelper):
    """A ModelHelper with parameters that are stored and not trained.

    use_cudnn, cudnn_exhaustive_search, ws_nbytes_limit: arguments of its layers.
    """

    def __init__(self, init_params: bool = True, **kwargs: Any) -> None:
        arguments = {
            "use_cudnn": kwargs.pop("use_cudnn", True),
            "cudnn_exhaustive_search": kwargs.pop("cudnn_exhaustive_search", False),
            "order": "NHWC",
        }
        if kwargs.get("ws_nbytes_limit"):
            arguments["ws_nbytes_limit"] = kwargs.pop("ws_nbytes_limit")
        super().__init__(init_params=init_params, arg_scope=arguments, **kwargs)
        self.non_trainable_params: list[Blob] = []

    def AddParam(
        self,
        name: Any,
        init: tuple[str, dict[str, Any]] | None = None,
        init_value: float | str | None = None,
        trainable: bool = True,
    ) -> Blob:
        """Add a parameter; an external input where parameters are not initialized.

        init: the operator that makes it, with its arguments. init_value: in place of it, the one element of it.
        """
        if init_value is not None:
            demand(init is None, f"{name}: give init or init_value, not both")
            demand(type(init_value) in (int, float, str), f"{name}: init_value is a number or a string")
            init = ("ConstantFill", {"shape": [1], "value": init_value})
        if self.init_params:
            demand(init is not None, f"{name}: init or init_value is needed")
            param = getattr(self.param_init_net, init[0])([], name, **init[1])
        else:
            param = self.net.AddExternalInput(name)
        (self.params if trainable else self.non_trainable_params).append(param)
        return param

    def GetNonTrainableParams(self, namescope: str | None = None) -> list[Blob]:
        """The parameters of a scope, by default the current one, that are not trained; all for the empty one."""
        if namescope is None:
            namescope = scope.CurrentNameScope()
        elif not namescope.endswith(scope._NAMESCOPE_SEPARATOR):
            namescope += scope._NAMESCOPE_SEPARATOR
        return [p for p in self.non_trainable_params if namescope in ("", p.GetNameScope())]

    def GetAllParams(self, namescope: str | None = None) -> list[Blob]:
        """Trained, computed and untrained parameters of a scope."""
        return self.GetParams(namescope) + self.GetComputedParams(namescope) + self.GetNonTrainableParams(namescope)
