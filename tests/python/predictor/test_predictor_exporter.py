"""Exported models predict what they did."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from caffe2.proto import caffe2_pb2
from caffe2.python import brew, core, workspace
from caffe2.python.model_helper import ModelHelper
from caffe2.python.predictor import mobile_exporter, predictor_py_utils
from caffe2.python.predictor.predictor_exporter import (
    PredictorExportMeta,
    get_meta_net_def,
    load_from_db,
    prepare_prediction_net,
    save_to_db,
    set_model_info,
)

X = np.random.RandomState(0).rand(2, 4).astype(np.float32)


@pytest.fixture
def model() -> ModelHelper:
    workspace.ResetWorkspace()
    model = ModelHelper("m")
    brew.fc(model, "x", "y", 4, 3)
    workspace.RunNetOnce(model.param_init_net)
    return model


def prediction(net) -> np.ndarray:
    workspace.FeedBlob("x", X)
    workspace.RunNetOnce(net)
    return workspace.FetchBlob("y")


def meta(model: ModelHelper, **kwargs) -> PredictorExportMeta:
    shapes = {"x": (2, 4), "y": (2, 3)}
    return PredictorExportMeta(model.net, model.GetParams(), ["x"], ["y"], shapes=shapes, **kwargs)


def test_saved_and_loaded(model: ModelHelper, tmp_path: Path) -> None:
    expected = prediction(model.net)
    save_to_db("minidb", str(tmp_path / "model"), meta(model))
    workspace.ResetWorkspace()
    net = prepare_prediction_net(str(tmp_path / "model"), "minidb")
    np.testing.assert_array_equal(prediction(net), expected)


def test_loaded_onto_a_device(model: ModelHelper, tmp_path: Path) -> None:
    save_to_db("minidb", str(tmp_path / "model"), meta(model))
    gpu = core.DeviceOption(caffe2_pb2.CUDA, 3)
    loaded = load_from_db(str(tmp_path / "model"), "minidb", gpu)
    assert all(op.device_option == gpu for entry in loaded.nets for op in entry.value.op)


def test_the_parts_have_keys(model: ModelHelper) -> None:
    model.net.AddArgument("model_id", 7)
    exported = meta(model, name="part", net_type="dag", num_workers=3, trainer_prefix="t")
    described = get_meta_net_def(exported)
    set_model_info(described, "project", "class", "1")
    net = predictor_py_utils.GetNet(described, exported.predict_net_name())
    assert (net.type, net.num_workers, list(net.external_input)) == ("dag", 3, ["x", "y_w", "y_b"])
    init = predictor_py_utils.GetNet(described, exported.predict_init_name())
    assert predictor_py_utils.GetArgumentByName(init, "model_id").i == 7
    assert list(predictor_py_utils.GetBlobs(described, exported.parameters_name())) == ["y_w", "y_b"]
    assert exported.train_plan_name() == "t_TRAIN_PLAN_TYPE_part"
    assert predictor_py_utils.GetPlan(described, "none") is None


def test_blobs_that_are_two_things_at_once(model: ModelHelper) -> None:
    with pytest.raises(AssertionError, match=r"disjoint. Intersection: \['x'\]"):
        PredictorExportMeta(model.net, ["x"], ["x"], ["y"])
    with pytest.raises(AssertionError, match="unique"):
        PredictorExportMeta(model.net, [], ["x", "x"], ["y"])
    with pytest.raises(KeyError, match="x not in workspace"):
        get_meta_net_def(PredictorExportMeta(model.net, [], ["x"], ["y"]))


def test_exported_as_two_nets(model: ModelHelper) -> None:
    expected = prediction(model.net)
    init, predict = mobile_exporter.Export(workspace, model.net, model.GetParams())
    workspace.ResetWorkspace()
    workspace.RunNetOnce(init)
    assert workspace.FetchBlob("x").shape == (1, 1)
    np.testing.assert_array_equal(prediction(predict), expected)


@pytest.mark.parametrize(
    "value",
    [np.arange(3, dtype=t) for t in ("float32", "int32", "int64", "uint8")] + [np.array([b"a", b"b"], object)],
    ids=lambda value: value.dtype.name,
)
def test_tensors_by_type(value: np.ndarray) -> None:
    net = caffe2_pb2.NetDef()
    mobile_exporter.add_tensor(net, "t", value)
    workspace.RunNetOnce(net)
    np.testing.assert_array_equal(workspace.FetchBlob("t"), value)


def test_tensors_that_no_operator_fills() -> None:
    with pytest.raises(TypeError, match="not complex64"):
        mobile_exporter.add_tensor(caffe2_pb2.NetDef(), "t", np.ones(2, np.complex64))
