"""Questions to the registry of operators, and the element types that programs name."""

from __future__ import annotations

from difflib import get_close_matches

import caffe2.ops  # noqa: F401  registers every operator
from caffe2.opdef import registry
from caffe2.proto import caffe2_pb2
from caffe2.python.lazy import TriggerLazyImport

_REGISTERED_OPERATORS = registry


class DataType:
    """The element types of tensors, as attributes: DataType.FLOAT is TensorProto.FLOAT."""


for _name, _number in caffe2_pb2.TensorProto.DataType.items():
    setattr(DataType, _name, _number)


def _GetRegisteredOperators() -> set[str]:
    return set(registry)


def RefreshRegisteredOperators(trigger_lazy: bool = True) -> None:
    """Run the imports that were put off; the registry itself is asked live and needs no refreshing."""
    if trigger_lazy:
        TriggerLazyImport()


def IsOperator(op_type: str) -> bool:
    """Whether an operator of that name is registered."""
    return IsOperatorWithEngine(op_type, engine="DEFAULT")


def IsOperatorWithEngine(op_type: str, engine: str) -> bool:
    """Whether an operator is registered and accepts an engine by that name."""
    TriggerLazyImport()
    definition = registry.get(op_type)
    return definition is not None and (engine in ("", "DEFAULT") or engine in definition.engines)


def nearby_opnames(name: str) -> list[str]:
    """Names of operators that `name` may have been meant to be, nearest first; the case of letters does not count."""
    by_folded = {known.lower(): known for known in registry}
    return [by_folded[near] for near in get_close_matches(name.lower(), by_folded, n=5)]


def no_such_method(name: str) -> AttributeError:
    """What asking a net or a blob for an operator that does not exist comes to."""
    return AttributeError(
        f"Method {name} is not a registered operator. Did you mean: [{','.join(nearby_opnames(name))}]"
    )


def with_operators(own: set[str]) -> list[str]:
    """Names for `dir` of an object on which every operator is a method."""
    TriggerLazyImport()
    return sorted(own | set(registry))
