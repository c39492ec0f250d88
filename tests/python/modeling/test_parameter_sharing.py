"""Scopes that share parameters."""

from __future__ import annotations

import pytest

from caffe2.python.modeling.parameter_sharing import ParameterSharing, parameter_sharing_context
from caffe2.python.scope import NameScope


def name_in(scope: str) -> str:
    with NameScope(scope):
        return parameter_sharing_context.get_parameter_name("w")


@pytest.mark.parametrize(
    "shared, scope, expected",
    [
        ({}, "a", "a/w"),
        ({"b": "a"}, "b", "a/w"),
        ({"b": "a"}, "bb", "bb/w"),
        ({"b": "a"}, "b/c", "a/c/w"),
        ({"a": ""}, "a", "w"),
        ({"b/shared": "b", "b": "a"}, "b/shared", "a/w"),
        ({"b/shared": "b", "b": "a"}, "b/unshared", "a/unshared/w"),
    ],
)
def test_names(shared: dict[str, str], scope: str, expected: str) -> None:
    with ParameterSharing(shared):
        assert name_in(scope) == expected
    assert name_in(scope) == scope + "/w"


def test_scopes_are_below_the_current_one() -> None:
    with NameScope("top"), ParameterSharing({"b": "a"}):
        assert name_in("b") == "top/a/w"


def test_what_cannot_be_shared() -> None:
    with pytest.raises(AssertionError, match="lies within"), ParameterSharing({"a": "a/b"}):
        pass
    with ParameterSharing({"a": "b", "b": "a"}), pytest.raises(AssertionError, match="circle"):
        name_in("a")
