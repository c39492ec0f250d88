"""Definitions: what @op checks at import, and verify at use."""

from __future__ import annotations

import pytest

from caffe2.opdef import ArgumentTypeError, SchemaError, UnknownOperator, lookup, make_argument, op, registry, verify
from caffe2.proto import caffe2_pb2


def operator(name: str, inputs: list[str], outputs: list[str], **args: object) -> caffe2_pb2.OperatorDef:
    made = caffe2_pb2.OperatorDef(type=name, input=inputs, output=outputs)
    made.arg.extend(make_argument(k, v) for k, v in args.items())
    return made


def test_header_and_parameters_must_agree():
    with pytest.raises(SchemaError, match="disagree"):
        op("TestOnlyBroken: X Y -> Z")(lambda x: x)
    assert "TestOnlyBroken" not in registry


def test_a_name_is_defined_once():
    with pytest.raises(SchemaError, match="twice"):
        op("Relu: X -> Y")(lambda x: x)


def test_unknown_operators_suggest_near_names():
    with pytest.raises(UnknownOperator, match="Relu"):
        lookup("Rellu")


def test_in_place_use_that_is_not_allowed_is_refused():
    with pytest.raises(SchemaError, match="may not overwrite"):
        verify(operator("ReluGradient", ["y", "dy"], ["y"]))
    verify(operator("ReluGradient", ["y", "dy"], ["dy"]))


def test_arguments_of_another_type_are_refused():
    with pytest.raises(ArgumentTypeError, match="alpha"):
        lookup("LeakyRelu").arguments(operator("LeakyRelu", ["x"], ["y"], alpha="steep"))
    assert lookup("LeakyRelu").arguments(operator("LeakyRelu", ["x"], ["y"], alpha=1)) == {"alpha": 1.0}


def test_undeclared_arguments_are_left_alone():
    assert lookup("Relu").arguments(operator("Relu", ["x"], ["y"], whatever=3)) == {}
