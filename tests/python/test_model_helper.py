"""Models: parameters, gradients, and the nets taken from them."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.python import brew, core, workspace
from caffe2.python.model_helper import ExtractPredictorNet, ModelHelper
from caffe2.python.modeling.initializers import Initializer
from caffe2.python.modeling.parameter_info import ParameterTags


def classifier(**kwargs) -> ModelHelper:
    model = ModelHelper("m", **kwargs)
    brew.fc(model, "data", "h", 4, 5)
    brew.relu(model, "h", "h")
    brew.fc(model, "h", "scores", 5, 3)
    return model


def names(blobs) -> list[str]:
    return list(map(str, blobs))


def test_parameters_by_scope_and_kind() -> None:
    model = ModelHelper("m")
    with core.NameScope("a"):
        brew.fc(model, "x", "y", 2, 3, freeze_bias=True)
        assert names(model.GetParams()) == ["a/y_w"]
    with core.NameScope("ab"):
        brew.fc(model, "x", "y", 2, 3)
    assert names(model.GetParams("a")) == ["a/y_w"]
    assert names(model.GetAllParams("a/")) == ["a/y_w", "a/y_b"]
    assert names(model.GetParams()) == ["a/y_w", "ab/y_w", "ab/y_b"]
    assert names(model.biases) == ["a/y_b", "ab/y_b"]


def test_a_parameter_made_again_is_the_same_or_an_error() -> None:
    model = ModelHelper("m")
    init = Initializer("ConstantFill", value=1.0)
    made = model.create_param("w", [2, 3], init, tags=ParameterTags.WEIGHT)
    assert model.create_param("w", [2, 3], init) == made
    assert model.get_param_info(made).size == 6
    with pytest.raises(AssertionError, match=r"shape \[2, 3\], not \[3\]"):
        model.create_param("w", [3], init)
    with pytest.raises(TypeError, match="named by"):
        model.create_param(3, [3], init)


def test_gradients_once_and_of_parameters_once() -> None:
    model = classifier()
    with pytest.raises(RuntimeError, match="AddGradientOperators first"):
        model.GetOptimizationParamInfo()
    model.SoftmaxWithLoss(["scores", "label"], ["softmax", "loss"])
    model.AddGradientOperators(["loss"])
    assert {str(p): str(g) for p, g in model.param_to_grad.items()} == {
        f"{p}": f"{p}_grad" for p in ("h_w", "h_b", "scores_w", "scores_b")
    }
    with pytest.raises(RuntimeError, match="twice"):
        model.AddGradientOperators(["loss"])
    model.params.append(model.params[0])
    with pytest.raises(AssertionError, match=r"Duplicate params: \['h_w'\]"):
        model.Validate()


def test_a_model_may_share_another_ones_parameters() -> None:
    train = classifier()
    test = ModelHelper("test", init_params=False, param_model=train)
    brew.fc(test, "data", "h", 4, 5)
    assert names(test.params) == names(train.params)
    assert test.param_init_net is train.param_init_net


def test_operators_that_a_model_does_not_know(caplog: pytest.LogCaptureFixture) -> None:
    ModelHelper("m").AveragePool("x", "y", kernel=2)
    assert "AveragePool" in caplog.text
    with pytest.raises(AttributeError, match="not known to be safe"):
        ModelHelper("m", allow_not_known_ops=False).AveragePool("x", "y", kernel=2)
    with pytest.raises(AttributeError, match="Relu"):
        ModelHelper("m").Rellu("x", "y")


def test_a_complete_net_is_taken_apart_again() -> None:
    model = classifier()
    fills, computes = len(model.param_init_net.Proto().op), len(model.net.Proto().op)
    complete = model.GetCompleteNet()
    model.ConstructInitTrainNetfromNet(complete)
    assert (len(model.param_init_net.Proto().op), len(model.net.Proto().op)) == (fills, computes)


def test_the_predictor_of_a_trained_model() -> None:
    workspace.ResetWorkspace()
    model = classifier()
    brew.softmax(model, "scores", "softmax")
    model.net.LabelCrossEntropy(["softmax", "label"], "xent")
    net, params = ExtractPredictorNet(model.Proto(), ["data"], ["softmax"], renames={"data": "input"})
    assert [op.type for op in net.Proto().op] == ["FC", "Relu", "FC", "Softmax"]
    assert params == ["h_w", "h_b", "scores_w", "scores_b"]
    workspace.RunNetOnce(model.param_init_net)
    workspace.FeedBlob("input", np.random.rand(2, 4).astype(np.float32))
    workspace.RunNetOnce(net)
    np.testing.assert_allclose(workspace.FetchBlob("softmax").sum(axis=1), 1, rtol=1e-6)


def test_what_no_predictor_can_be_taken_from() -> None:
    model = classifier()
    with pytest.raises(ValueError, match="No ops with input"):
        ExtractPredictorNet(model.Proto(), ["nothing"], ["scores"])
    with pytest.raises(ValueError, match="No ops with output"):
        ExtractPredictorNet(model.Proto(), ["data"], ["nothing"])
    brew.dropout(model, "scores", "dropped", is_test=0)
    with pytest.raises(ValueError, match="is_test=0"):
        ExtractPredictorNet(model.Proto(), ["data"], ["dropped"])
