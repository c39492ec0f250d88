import numpy as np
import pytest

from caffe2.opdef import NoGradient
from caffe2.proto import caffe2_pb2
from caffe2.python import core, workspace
from caffe2.python.net_builder import NetBuilder, ops


def shown(op):
    return f"{op.type}: {' '.join(op.input)} -> {' '.join(op.output)}"


def backward(net, ys):
    count = len(net.Proto().op)
    gradients = net.AddGradientOperators(ys)
    return [shown(op) for op in net.Proto().op[count:]], {str(k): v for k, v in gradients.items()}


def test_a_list_is_differentiated_from_ones():
    net = core.Net("ones")
    net.Relu("x", "y")
    ops, gradients = backward(net, ["y"])
    assert ops == ["ConstantFill: y -> y_autogen_grad", "ReluGradient: y y_autogen_grad -> x_grad"]
    assert gradients == {"y": "y_autogen_grad", "x": "x_grad"}


def test_several_uses_are_renamed_and_added_up():
    net = core.Net("uses")
    for name in "abc":
        net.Relu("x", name)
    net.Sum(["a", "b", "c"], "y")
    ops, gradients = backward(net, {"y": "dy"})
    assert ops == [
        "ReluGradient: c dy -> x_grad",
        "ReluGradient: b dy -> _x_grad_autosplit_0",
        "ReluGradient: a dy -> _x_grad_autosplit_1",
        "Sum: x_grad _x_grad_autosplit_0 _x_grad_autosplit_1 -> x_grad",
    ]
    assert gradients["x"] == "x_grad"
    assert list(net.Proto().op[-1].device_option.extra_info) == ["is_auto_gen_sum_ops:1"]


def test_a_dense_gradient_with_a_name_of_two_letters_is_dense():
    net = core.Net("two")
    net.Relu("x", "y")
    assert backward(net, {"y": "dy"})[0] == ["ReluGradient: y dy -> x_grad"]


def test_sparse_gradients_are_put_one_after_another():
    net = core.Net("sparse")
    net.Gather(["d", "i"], "a")
    net.Gather(["d", "j"], "b")
    net.Sum(["a", "b"], "y")
    ops, gradients = backward(net, {"y": "dy"})
    assert gradients["d"] == core.GradientSlice("d_grad_indices_concat", "d_grad_values_concat")
    assert ops[-2:] == [
        "Concat: j i -> d_grad_indices_concat d_grad_indices_concat_split",
        "Concat: dy dy -> d_grad_values_concat d_grad_values_concat_split",
    ]


def test_sparse_and_dense_do_not_add_up():
    net = core.Net("mixed")
    net.Gather(["d", "i"], "a")
    net.Relu("d", "b")
    net.Sum(["a", "b"], "y")
    with pytest.raises(RuntimeError, match="gradient of 'd'.* sparse .* dense"):
        net.AddGradientOperators({"y": "dy"})


def test_stop_gradient_stops():
    net = core.Net("stop")
    net.Copy("x", "a")
    net.StopGradient("a", "a")
    net.Mul(["x", "a"], "y")
    ops, gradients = backward(net, {"y": "dy"})
    assert ops == ["MulGradient: dy x a -> x_grad a_grad"] and "a" not in gradients


def test_a_stop_gradient_that_nothing_reads_is_an_error():
    net = core.Net("orphan")
    net.StopGradient("x", "s")
    net.Relu("x", "y")
    with pytest.raises(ValueError, match="StopGradient's output 's' is orphan"):
        net.AddGradientOperators(["y"])


def test_an_overwritten_blob_is_an_error():
    net = core.Net("overwritten")
    net.Sigmoid("x", "y")
    net.Relu("y", "z")
    net.Copy("w", "y")
    with pytest.raises(RuntimeError, match="Sigmoid needs version 0 of 'y', which is overwritten"):
        net.AddGradientOperators(["z"])


def test_an_operator_without_a_gradient_is_named():
    net = core.Net("none")
    net.Cast("x", "a", to=1)
    net.LpNorm("a", "y", average=True)
    net.Unique("y", "z")
    with pytest.raises(NoGradient, match=r"no gradient for \[Unique\]"):
        net.AddGradientOperators(["z"])


def test_an_operator_that_does_not_fit_its_schema_is_named():
    net = core.Net("schema")
    net.Proto().op.append(core.CreateOperator("Relu", ["x", "w"], "y"))
    with pytest.raises(NoGradient, match="does not fit its schema"):
        net.AddGradientOperators(["y"])


def test_a_program_registers_a_rule():
    @core.GradientRegistry.RegisterGradient("TestOnlyRule")
    def rule(op, g_output):
        return caffe2_pb2.OperatorDef(type="Copy", input=[g_output[0]], output=["mine"]), ["mine"]

    ops, gradients = core.GradientRegistry.GetBackwardPass(
        [core.CreateOperator("TestOnlyRule", ["x"], ["y"])], {core.BlobReference("y"): core.BlobReference("dy")}
    )
    assert [shown(op) for op in ops] == ["Copy: dy -> mine"] and gradients["x"] == "mine"


def test_what_to_differentiate_is_a_list_or_a_dict():
    with pytest.raises(TypeError, match="not a str"):
        core.Net("wrong").AddGradientOperators("y")


def run_branches(condition):
    with NetBuilder() as builder:
        x, w, flag = ops.Const(2.0), ops.Const(3.0), ops.Const(condition)
        y = ops.Const(0.0)
        with ops.IfNet(flag):
            ops.Mul([x, w], [y])
        with ops.Else():
            ops.Add([x, x], [y])
        z = ops.Mul([y, y])
    net = NetBuilder.merge_nets(builder.get(), {str(z)})
    gradients = net.AddGradientOperators([z])
    workspace.RunNetOnce(net)
    return [float(workspace.FetchBlob(str(gradients[b]))) for b in (x, w)]


@pytest.mark.parametrize("condition, expected", [(True, [36.0, 24.0]), (False, [16.0, 0.0])])
def test_the_gradient_of_a_branch(condition, expected):
    assert np.allclose(run_branches(condition), expected)
