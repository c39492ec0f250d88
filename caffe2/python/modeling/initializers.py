"""Initializers: how a parameter comes into being in a model's init net."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from caffe2.python import core
from caffe2.python._misuse import Misuse
from caffe2.python.core import BlobReference, DataType, ScopedBlobReference
from caffe2.python.modeling.parameter_info import ParameterInfo


class Initializer:
    """Fills a parameter by the operator `operator_name`, with `kwargs` as its arguments."""

    def __init__(self, operator_name: str | None = None, **kwargs: Any) -> None:
        self.operator_name = operator_name
        self.operator_kwargs: Mapping[str, Any] = kwargs

    def update(self, operator_name: str, kwargs: Mapping[str, Any]) -> None:
        """Settle the operator and its arguments. Raises Misuse where they are settled already."""
        if self.operator_name is not None:
            raise Misuse(f"the initializer fills by {self.operator_name} and cannot fill by {operator_name} instead")
        self.operator_name = operator_name
        self.operator_kwargs = kwargs

    def create_param(self, param_name: BlobReference, init_net: core.Net, shape: Sequence[int]) -> ParameterInfo:
        """Append operators that make the parameter to `init_net`."""
        return ParameterInfo(param_id=None, param=self._fill(init_net, param_name, shape), shape=shape)

    def _fill(self, init_net: core.Net, name: BlobReference, shape: Sequence[int]) -> BlobReference:
        return getattr(init_net, self.operator_name)([], name, shape=shape, **self.operator_kwargs)


class ExternalInitializer:
    """Fills nothing: the parameter is in the workspace already, or is loaded into it."""

    def create_param(self, param_name: BlobReference | str, init_net: core.Net, shape: Sequence[int]) -> ParameterInfo:
        """Refer to the parameter. Raises TypeError for a name that is neither a reference nor a string."""
        if isinstance(param_name, BlobReference):
            param = BlobReference(str(param_name), init_net)
        elif isinstance(param_name, str):
            param = ScopedBlobReference(param_name, init_net)
        else:
            raise TypeError(f"a parameter is named by a string or a BlobReference, not {param_name!r}")
        return ParameterInfo(param_id=None, param=param, shape=shape)


class PseudoFP16Initializer(Initializer):
    """A float16 parameter, filled in float32 as NAME_fp32, which stays as its copy."""

    def create_param(self, param_name: BlobReference, init_net: core.Net, shape: Sequence[int]) -> ParameterInfo:
        single = self._fill(init_net, param_name + "_fp32", shape)
        half = init_net.FloatToHalf(single, param_name)
        return ParameterInfo(param_id=None, param=half, shape=shape, blob_copy={DataType.FLOAT: single})


class ReversePseudoFP16Initializer(Initializer):
    """A float32 parameter that has a float16 copy, NAME_fp16."""

    def create_param(self, param_name: BlobReference, init_net: core.Net, shape: Sequence[int]) -> ParameterInfo:
        single = self._fill(init_net, param_name, shape)
        half = init_net.FloatToHalf(single, param_name + "_fp16")
        return ParameterInfo(param_id=None, param=single, shape=shape, blob_copy={DataType.FLOAT16: half})


def update_initializer(
    initializer_class: type[Initializer] | None,
    operator_name_and_kwargs: tuple[str, Mapping[str, Any]] | None,
    default_operator_name_and_kwargs: tuple[str, Mapping[str, Any]],
) -> Initializer:
    """An initializer of the given class, or else a plain one, of the given operator, or else the default one.

    What follows a name and its arguments counts for nothing, as in the original.
    """
    name, kwargs = (operator_name_and_kwargs or default_operator_name_and_kwargs)[:2]
    return (initializer_class or Initializer)(name, **kwargs)
