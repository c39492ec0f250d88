import pytest

from caffe2.proto import caffe2_pb2
from caffe2.python import core

GPU = core.DeviceOption(caffe2_pb2.CUDA, 1)
CPU = caffe2_pb2.DeviceOption()


def test_options():
    option = core.DeviceOption(caffe2_pb2.CUDA, 2, random_seed=3, node_name="n", extra_info=["e"])
    assert (option.device_id, option.random_seed, option.node_name, list(option.extra_info)) == (2, 3, "n", ["e"])
    assert core.DeviceOption(caffe2_pb2.CPU).HasField("device_id")
    with pytest.raises(AssertionError, match="NUMA"):
        core.DeviceOption(caffe2_pb2.CUDA, numa_node_id=0)


@pytest.mark.parametrize(
    "a, b, equal",
    [
        (GPU, core.DeviceOption(caffe2_pb2.CUDA, 1, node_name="n"), True),
        (GPU, core.DeviceOption(caffe2_pb2.CUDA, 2), False),
        (CPU, core.DeviceOption(caffe2_pb2.CPU, 5), True),
        (CPU, GPU, False),
        (None, GPU, False),
        (None, None, True),
    ],
)
def test_the_same_place(a, b, equal):
    assert core.device_option_equal(a, b) is equal


def test_seed_and_node_may_count():
    other = core.DeviceOption(caffe2_pb2.CUDA, 1, random_seed=3, node_name="n")
    assert not core.device_option_equal(GPU, other, ignore_node_name=False)
    assert not core.device_option_equal(GPU, other, ignore_random_seed=False)


def infer(type_, inputs, outputs):
    return core.InferOpBlobDevices(core.CreateOperator(type_, inputs, outputs, device_option=GPU))


def test_blobs_in_host_memory():
    assert infer("FC", ["x", "w", "b"], ["y"]) == ([GPU] * 3, [GPU])
    assert infer("Concat", ["x", "y"], ["c", "split_info"]) == ([GPU] * 2, [GPU, CPU])
    assert infer("Split", ["x", "split"], ["y", "z"]) == ([GPU, CPU], [GPU] * 2)
    assert infer("CopyGPUToCPU", ["x"], ["y"]) == ([GPU], [CPU])
    assert infer("CopyCPUToGPU", ["x"], ["y"]) == ([CPU], [GPU])


def test_by_name():
    ins, outs = core.InferOpBlobDevicesAsDict(core.CreateOperator("Relu", "x", "y", device_option=GPU))
    assert (ins, outs) == ({"x": GPU}, {"y": GPU})


def crossing():
    net = core.Net("crossing")
    with core.DeviceScope(GPU):
        net.Relu("data", "a")
    net.Relu("data", "b")
    with core.DeviceScope(GPU):
        net.Relu("data", "c")
    net.Add(["a", "b"], "a")
    return net


def test_copies_are_put_in_once():
    made, where = core.InjectCrossDeviceCopies(crossing())
    assert [(op.type, op.input[0], op.output[0]) for op in made.Proto().op] == [
        ("CopyCPUToGPU", "data", "data_gpu_1"),
        ("Relu", "data_gpu_1", "a"),
        ("Relu", "data", "b"),
        ("Relu", "data_gpu_1", "c"),
        ("CopyGPUToCPU", "a", "a_cpu"),
        ("Add", "a_cpu", "a_cpu"),
    ]
    assert where["a"] == GPU and where["a_cpu"] == CPU


def test_what_one_net_copied_serves_the_next():
    nets, _ = core.InjectDeviceCopiesAmongNets([crossing(), crossing()], {"data": CPU})
    assert nets[1].Proto().op[0].type == "Relu" and nets[1].Proto().op[0].input[0] == "data_gpu_1"
    assert nets[1].is_external_input("data_gpu_1")


def test_one_blob_on_two_devices_is_refused():
    net = core.Net("twice")
    net.Relu("x", "y")
    with core.DeviceScope(GPU):
        net.Relu("x", "y")
    with pytest.raises(RuntimeError, match="In-place blob: y"):
        core.InjectCrossDeviceCopies(net)


def test_placeholders_are_on_their_own_device():
    net = core.Net("placeholder")
    net.Proto().op.append(core.CreateOperator("Placeholder:Recv", [], ["x"]))
    made, where = core.InjectCrossDeviceCopies(net, {"x": GPU}, placeHolderOps=["Placeholder:Recv"])
    assert list(made.Proto().op[0].output) == ["x_cpu"] and where["x_cpu"] == CPU


def test_devices_without_a_copy():
    assert core.copy_func_between_devices(GPU, GPU) is None and core.copy_func_between_devices(CPU, CPU) is None
    with pytest.raises(ValueError, match="Non-supported devices"):
        core.copy_func_between_devices(core.DeviceOption(caffe2_pb2.OPENCL), GPU)
