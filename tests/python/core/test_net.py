import copy

import numpy as np
import pytest

from caffe2.proto import caffe2_pb2
from caffe2.python import core, schema, workspace


def net(name="net"):
    return core.Net(name)


def test_names_of_nets_are_used_once():
    first, second = net("twin"), net("twin")
    assert second.Name().startswith("twin_") and first.Name() != second.Name() != net("twin").Name()


def test_outputs_are_named():
    n = net("named")
    name = n.Name()
    assert [n.Sum("a"), n.Sum("a")] == [f"{name}/Sum", f"{name}/Sum_2"]
    assert list(n.Concat(["a", "b"], 2)) == [f"{name}/Concat:0", f"{name}/Concat:1"]
    assert [n.NextName(), n.NextName()] == [f"{name}_blob_0", f"{name}_blob_1"]


def test_blobs_are_named_once():
    n = net()
    with core.NameScope("s"):
        names = [str(n.NextScopedBlob("b")) for _ in range(3)]
    assert names == ["s/b", "s/b_auto_0", "s/b_auto_1"]


def test_names_go_on_where_a_definition_ends():
    made = core.Net(caffe2_pb2.NetDef(name="ended", op=[core.CreateOperator("Relu", "x", "ended_blob_11")]))
    assert made._next_name_index == 12


def test_what_is_not_defined_is_taken_in():
    n = net()
    n.Relu("x", "y")
    n.Add(["y", "w"], "z")
    assert n.external_inputs == ["x", "w"] and n.BlobIsDefined("z") and not n.BlobIsDefined("q")
    assert n.UsesBlob("w") and not n.UsesBlob("z") and n.UsedBlobNames() == set("xyzw")


def test_inputs_and_outputs_are_checked():
    n = net()
    assert n.AddExternalInput("a") == "a" and n.AddExternalInputs("b", "c") == ["b", "c"]
    for taken in (("a",), ("d", "d")):
        with pytest.raises(AssertionError, match="already contains an input named"):
            n.AddExternalInput(*taken)
    with pytest.raises(AssertionError, match="q is not defined"):
        n.AddExternalOutput(core.BlobReference("q"))
    with pytest.raises(KeyError, match="does not define blob q"):
        n.GetBlobRef("q")
    with core.NameScope("s"):
        assert n.AddScopedExternalInputs("x") == ["s/x"]
    assert n.is_external_input("s/x")


def test_a_changed_definition_is_noticed():
    n = net()
    n.Relu("x", "y")
    n.Proto().op[0].output[0] = "other"
    assert n.BlobIsDefined("other") and not n.BlobIsDefined("y")


@pytest.mark.parametrize(
    "value, fill",
    [
        (1.5, "GivenTensorFill"),
        (np.float16([1]), "GivenTensorFill"),
        (np.uint8([1]), "GivenTensorFill"),
        (np.int32([1, 2]), "GivenTensorIntFill"),
        (3, "GivenTensorInt64Fill"),
        (np.array([True]), "GivenTensorBoolFill"),
        (True, "ConstantFill"),
        (["a", "b"], "GivenTensorStringFill"),
    ],
)
def test_constants(value, fill):
    n = net()
    blob = n.Const(value)
    workspace.RunNetOnce(n)
    assert n.Proto().op[0].type == fill
    wanted = np.array(value).astype("S") if fill.endswith("StringFill") else np.array(value)
    assert np.array_equal(np.array(workspace.FetchBlob(blob).tolist()), wanted)


def test_nets_are_appended():
    first, second = net(), net()
    first.Sum(["a", "b"], "c")
    second.Add(["c", "d"], "e")
    second.AddExternalOutput(core.BlobReference("e"))
    first.AppendNet(second, device_option=core.DeviceOption(1, 2))
    assert first.external_inputs == ["a", "b", "d"] and first.external_outputs == ["e"]
    assert first.Proto().op[1].device_option.device_id == 2
    assert not second.Proto().op[0].HasField("device_option")


def test_an_operator_is_put_in_between():
    n = net()
    n.Relu("x", "y")
    n.Relu("y", "z")
    made = core.CreateOperator("Mul", ["y", "scale"], "scaled")
    assert n.reroute_tensor("y", made, [n.Proto().op[1]]) == 1
    assert [op.type for op in n.Proto().op] == ["Relu", "Mul", "Relu"] and n.Proto().op[2].input[0] == "scaled"
    assert n.is_external_input("scale") and not n.is_external_input("y")


def test_seeds():
    n = net()
    n.UniformFill([], "a", shape=[1])
    n.UniformFill([], "b", shape=[1])
    n.set_rand_seed(7)
    assert [op.device_option.random_seed for op in n.Proto().op] == [7, 8]
    n.set_rand_seed(7, sequence_seed=False, seed_on_op_def=True)
    seeds = [op.device_option.random_seed for op in n.Proto().op]
    assert seeds[0] != seeds[1]
    with pytest.raises(AssertionError, match="both"):
        n.set_rand_seed(1, True, True)


def test_everything_is_put_on_a_gpu():
    step, n = net("step"), net()
    step.Relu("a", "b")
    n.RecurrentNetwork(["x"], ["y"], step_net=step.Proto())
    n.RunAllOnGPU(3, use_cudnn=True)
    proto = n.Proto()
    assert proto.device_option.device_id == proto.op[0].arg[0].n.device_option.device_id == 3
    assert proto.op[0].engine == "CUDNN"


def test_records_over_inputs_and_outputs():
    n = net("record")
    record = n.set_input_record(schema.Struct(("x", schema.Scalar(np.float32))))
    assert n.external_inputs == [f"{n.Name()}/x"]
    n.Relu(record.x(), "y")
    n.set_output_record(schema.Struct(("y", core.BlobReference("y"))))
    n.Relu("y", "z")
    n.AppendOutputRecordField("z", schema.Scalar(np.float32, core.BlobReference("z")))
    assert n.output_record().field_names() == ["y", "z"] and n.external_outputs == ["y", "z"]
    with pytest.raises(AssertionError, match="cannot be reset"):
        n.set_input_record(schema.Struct(("other", schema.Scalar())))
    copied = n.Clone("copied", blob_remap={"y": "Y"})
    assert copied.output_record().field_blobs() == ["Y", "z"]


def test_attributes_go_with_copies_and_stay_apart():
    n = net()
    n.add_attribute("k", 1)
    copied = n.Clone("copied")
    copied.add_attribute("k", 2)
    assert (n.get_attributes("k"), copied.get_attributes("k"), n.get_attributes("none")) == ([1], [1, 2], [])


def test_the_place_of_creation_is_known():
    n = net()
    n.Relu("x", "y")
    n.PopulateProtoWithFileName()
    file, line, function = n.Proto().op[0].name.rsplit(":", 2)
    assert file == __file__ and function == "test_the_place_of_creation_is_known"


def test_nets_are_copied_as_python_objects():
    n = net()
    n.Relu("x", "y")
    assert copy.deepcopy(n).Proto() == n.Proto()


def test_unknown_operators_suggest_known_ones():
    with pytest.raises(AttributeError, match=r"Method Maxpool is not a registered operator. Did you mean: \[MaxPool"):
        net().Maxpool("x", "y")
    assert not hasattr(net(), "_hidden")


def test_observers():
    n = net()
    n.ConstantFill([], "x", shape=[1])
    workspace.CreateNet(n)
    observer = n.AddObserver("RunCountObserver")
    workspace.RunNet(n)
    assert n.NumObservers() == 1 and "1" in observer.debug_info()
    n.RemoveObserver(observer)
    assert n.NumObservers() == 0
