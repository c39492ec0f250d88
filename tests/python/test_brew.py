"""Building functions: which there are, and where their arguments come from."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.python import brew, workspace
from caffe2.python.model_helper import ModelHelper


@pytest.fixture
def model() -> ModelHelper:
    workspace.ResetWorkspace()
    return ModelHelper("m")


def arguments(model: ModelHelper) -> dict:
    return {arg.name: arg.i for arg in model.net.Proto().op[-1].arg}


def test_arguments_come_from_the_model_then_scopes_then_the_call(model: ModelHelper) -> None:
    model.arg_scope["ws_nbytes_limit"] = 1
    with brew.arg_scope([brew.max_pool], stride=2, pad=2, ws_nbytes_limit=3):
        with brew.arg_scope(brew.max_pool, pad=4):
            brew.max_pool(model, "x", "y", kernel=7)
        found = arguments(model)
        assert (found["ws_nbytes_limit"], found["stride"], found["pad"], found["kernel"]) == (3, 2, 4, 7)
        brew.average_pool(model, "x", "z", kernel=7)
    assert "stride" not in arguments(model)


def test_a_scope_ends_with_an_error(model: ModelHelper) -> None:
    with pytest.raises(KeyError), brew.arg_scope(brew.max_pool, stride=2):
        raise KeyError
    brew.max_pool(model, "x", "y", kernel=2)
    assert "stride" not in arguments(model)


def test_a_function_registered_is_a_building_function(model: ModelHelper) -> None:
    def twice(model: ModelHelper, blob_in: str, blob_out: str, order: str = "none"):
        assert order == "NCHW"
        return model.net.Scale(blob_in, blob_out, scale=2.0)

    brew.Register(twice)
    try:
        assert brew.has_helper(twice) and brew.has_helper("twice")
        assert str(brew.twice(model, "x", "y")) == "y"
        with pytest.raises(AttributeError, match="twice already exists"):
            brew.Register(twice)
    finally:
        del brew._registry["twice"]


def test_what_is_no_building_function_or_has_no_model() -> None:
    assert not brew.has_helper("Fc")
    with pytest.raises(AttributeError, match="Fc not registered"):
        _ = brew.Fc
    with pytest.raises(RuntimeError, match="should be model"):
        brew.fc("x", "y", 2, 3)


@pytest.mark.parametrize("engine, use_cudnn", [("MKLDNN", True), ("CUDNN", False)])
def test_an_engine_that_contradicts_use_cudnn(model: ModelHelper, engine: str, use_cudnn: bool) -> None:
    with pytest.raises(ValueError, match=f"use_cudnn={use_cudnn}"):
        brew.conv(model, "x", "y", 2, 3, 1, engine=engine, use_cudnn=use_cudnn)


def test_channels_that_do_not_divide_into_groups(model: ModelHelper) -> None:
    with pytest.raises(ValueError, match="dim_in should be divisible by group: 5"):
        brew.group_conv_deprecated(model, "x", "y", 5, 4, 1, group=2)


def test_layers_compute(model: ModelHelper) -> None:
    fill = ("ConstantFill", {"value": 0.5})
    brew.fc(model, "x", "y", 3, 2, fill, fill)
    brew.prelu(model, "y", "z")
    workspace.FeedBlob("x", np.array([[1, 2, 3], [-1, -2, -4]], np.float32))
    workspace.RunNetOnce(model.param_init_net)
    workspace.RunNetOnce(model.net)
    np.testing.assert_allclose(workspace.FetchBlob("z"), [[3.5, 3.5], [-0.75, -0.75]])


def test_a_group_convolution_equals_one_by_parts(model: ModelHelper) -> None:
    model.arg_scope.update(use_cudnn=False)
    brew.group_conv(model, "x", "whole", 4, 6, 3, group=2)
    brew.group_conv_deprecated(model, "x", "parts", 4, 6, 3, group=2)
    workspace.FeedBlob("x", np.random.rand(2, 4, 5, 5).astype(np.float32))
    workspace.RunNetOnce(model.param_init_net)
    weight = workspace.FetchBlob("whole_w")
    for i, part in enumerate(np.split(weight, 2)):
        workspace.FeedBlob(f"parts_gconv_{i}_w", part)
    workspace.RunNetOnce(model.net)
    np.testing.assert_allclose(workspace.FetchBlob("parts"), workspace.FetchBlob("whole"), rtol=1e-5, atol=1e-6)
