import numpy as np
import pytest

from caffe2.proto import caffe2_pb2
from caffe2.python import core, muji, workspace


def reduced(count, reduce):
    """What each GPU ends with, computed on the CPU: every device option is taken off."""
    net = core.Net("reduce")
    blobs = [net.ConstantFill([], f"b{k}", shape=[2], value=float(k + 1)) for k in range(count)]
    made = reduce(net, blobs, "_sum", list(range(count)))
    devices = {name: op.device_option.device_id for op in net.Proto().op[count:] for name in op.output}
    for op in net.Proto().op:
        op.ClearField("device_option")
    workspace.RunNetOnce(net)
    return [workspace.FetchBlob(b).tolist() for b in made], [str(b) for b in made], devices


@pytest.mark.parametrize(
    "count, reduce",
    [
        (2, muji.Allreduce2),
        (4, muji.Allreduce4),
        (4, muji.Allreduce4Group2),
        (8, muji.Allreduce8),
        (3, muji.AllreduceFallback),
        (1, muji.AllreduceFallback),
    ],
)
def test_every_gpu_gets_the_sum(count, reduce):
    values, names, devices = reduced(count, reduce)
    assert values == [[count * (count + 1) / 2] * 2] * count
    assert names == [f"b{k}_sum" for k in range(count)] and [devices[name] for name in names] == list(range(count))


def test_the_way_depends_on_who_reads_whom(monkeypatch):
    pairs = np.kron(np.eye(2), np.ones((2, 2))).astype(bool)
    monkeypatch.setattr(workspace, "GetGpuPeerAccessPattern", lambda: pairs)
    net = core.Net("pairs")
    muji.Allreduce(net, [net.ConstantFill([], f"b{k}", shape=[1]) for k in range(4)])
    assert "b2_reduced_copy" in [op.output[0] for op in net.Proto().op]
    with pytest.raises(RuntimeError, match="2 vs 1"):
        muji.Allreduce(net, ["b0"], gpu_indices=[0, 1])


def test_devices():
    assert muji.OnGPU(3).device_id == 3 and muji.OnCPU().device_type == caffe2_pb2.CPU
