"""Gradients of operators and nets compared with finite differences."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from caffe2.proto import caffe2_pb2
from caffe2.python import core, net_drawer, workspace
from caffe2.python._misuse import demand
from caffe2.python.test_util import proto_type, switched_workspace

_ENDS = 3
"""How many elements at the beginning and at the end of an input are checked, unless CAFFE2_FULL_GRAD_CHECK is 1."""


def getGradientForOp(op: caffe2_pb2.OperatorDef) -> tuple[list[caffe2_pb2.OperatorDef], list[Any]]:
    """An operator's gradient operators, for gradients OUTPUT_grad of its outputs, and its inputs' gradients."""
    return core.GradientRegistry.GetGradientForOp(op, [output + "_grad" for output in op.output])


def _get_grad_blob(grad_map: Mapping[Any, Any], input_to_check: Any) -> np.ndarray:
    """The value of a gradient, of a sparse one made dense."""
    grad = grad_map[input_to_check]
    if isinstance(grad, core.GradientSlice):
        make_dense = core.CreateOperator("SparseToDense", [grad.indices, grad.values, input_to_check], "tmp_dense_grad")
        workspace.RunOperatorOnce(make_dense)
        grad = "tmp_dense_grad"
    return workspace.blobs[grad]


def _get_grad(
    net: core.Net,
    outputs: Sequence[Any],
    outputs_with_grad: Sequence[Any],
    input_values: Mapping[Any, Any] | None,
    inputs_with_grads: Sequence[Any],
) -> tuple[list[tuple[Any, np.ndarray]], dict[Any, np.ndarray], core.Net]:
    """Run a net and its gradient: values of outputs, gradients of inputs, and the net that was run."""
    grad_net = net.Clone(net.Name() + "_copy")
    grad_map = grad_net.AddGradientOperators(outputs_with_grad)
    for name, value in (input_values or {}).items():
        workspace.blobs[name] = value
    for blob in inputs_with_grads:
        demand(blob in grad_map, f"{blob} has no gradient, cannot check net gradient.")
        demand(str(blob) in workspace.blobs, f"{blob} has no value; give it one in input_values")
    workspace.RunNetOnce(grad_net)
    results = [(output, workspace.blobs[output]) for output in outputs]
    return results, {blob: _get_grad_blob(grad_map, blob) for blob in inputs_with_grads}, grad_net


def _assert_close(value1: np.ndarray, value2: np.ndarray, threshold: float, err_msg: str = "") -> tuple[Any, Any]:
    """The mean and the largest difference. Raises AssertionError where it is more than `threshold`, also relatively."""
    np.testing.assert_allclose(value1, value2, atol=threshold, rtol=threshold, err_msg=err_msg)
    delta = np.abs(value1 - value2).flatten()
    return np.mean(delta), max(delta)


class NetGradientChecker:
    """Checks of the gradients of nets; a failed check raises AssertionError."""

    @staticmethod
    def CompareNets(
        nets: Sequence[core.Net],
        outputs: Sequence[Sequence[Any]],
        outputs_with_grad_ids: Sequence[int],
        inputs_with_grads: Sequence[Any],
        input_values: Mapping[Any, Any] | None = None,
        threshold: float = 0.0000001,
        print_net_images: bool = False,
    ) -> None:
        """Check that nets have equal outputs, and equal gradients of the outputs at `outputs_with_grad_ids`.

        outputs: those of each net, in the same order.
        inputs_with_grads: the inputs whose gradients are compared.
        print_net_images: draw the nets, with their gradients, to files caffe2_net_*.png.
        """
        results = []
        for i, (net, of_net) in enumerate(zip(nets, outputs)):
            with_grad = [of_net[k] for k in outputs_with_grad_ids]
            results.append(_get_grad(net, of_net, with_grad, input_values, inputs_with_grads))
            if print_net_images:
                _draw(net, f"caffe2_net_forward_{i}{net.Name()}.png")
                _draw(results[-1][2], f"caffe2_net_{i}{results[-1][2].Name()}.png")
        (first_values, first_grads, _), *others = results
        for values, grads, _ in others:
            demand(len(values) == len(first_values), f"one net has {len(first_values)} outputs, another {len(values)}")
            for i, ((blob1, value1), (blob2, value2)) in enumerate(zip(first_values, values)):
                where = f"for output id {i}. Corresponding output blobs: {blob1} and {blob2}"
                _assert_close(value1, value2, threshold, f"Different forward pass results {where}")
            for blob, grad in grads.items():
                _assert_close(first_grads[blob], grad, threshold, f"Different gradients for input {blob}")

    @staticmethod
    def Check(
        net: core.Net,
        outputs_with_grad: Sequence[Any],
        input_values: Mapping[Any, np.ndarray],
        input_to_check: Any,
        step_size: float = 0.0001,
        threshold: float = 0.05,
        print_net: bool = True,
    ) -> tuple[Any, Any]:
        """Check the gradient, with respect to an input, of the sum of all elements of the outputs.

        Returns the mean and the largest difference from the central difference quotient (f(x + h) - f(x - h)) / 2 h
        with h = step_size.
        """
        _, grads, full_net = _get_grad(net, [], outputs_with_grad, input_values, [input_to_check])

        def loss(at: int, step: float) -> Any:
            value = input_values[input_to_check].copy()
            value.flat[at] += step
            workspace.blobs[input_to_check] = value
            workspace.RunNetOnce(full_net)
            return sum(workspace.blobs[output] for output in outputs_with_grad).sum()

        estimate = np.zeros_like(input_values[input_to_check])
        for i in range(estimate.size):
            estimate.flat[i] = (loss(i, step_size) - loss(i, -step_size)) / step_size / 2
        message = f"Error in gradient check for net_copy {net.Name()}"
        return _assert_close(
            grads[input_to_check], estimate, threshold, f"{message}: {net.Proto()}" if print_net else message
        )


def _draw(net: core.Net, path: str) -> None:
    with open(path, "wb") as file:
        file.write(net_drawer.GetPydotGraph(net).create_png())


class GradientChecker:
    """Checks the gradient operators of an operator on a device, in a workspace of their own.

    stepsize: h of the central difference quotient. threshold: how far a gradient may be off, also relatively.
    input_device_options: devices of inputs that are not on that device.
    """

    def __init__(
        self,
        stepsize: float,
        threshold: float,
        device_option: caffe2_pb2.DeviceOption | None = None,
        workspace_name: str = "gradient_check",
        input_device_options: Mapping[str, caffe2_pb2.DeviceOption] | None = None,
    ) -> None:
        self._stepsize = stepsize
        self._threshold = threshold
        self._device_option = device_option or caffe2_pb2.DeviceOption()
        self._workspace_name = workspace_name
        self._input_device_options = input_device_options or {}

    def GetLossAndGrad(
        self,
        op: caffe2_pb2.OperatorDef,
        grad_ops: Sequence[caffe2_pb2.OperatorDef],
        inputs: Sequence[np.ndarray],
        input_names: Sequence[str],
        input_to_check: int,
        grad_name: Any,
        outputs_with_grads: Sequence[int],
    ) -> tuple[float, np.ndarray]:
        """The loss, half the sum of the squares of the outputs, and its gradient by the gradient operators."""
        for name, value in zip(input_names, inputs):
            workspace.FeedBlob(name, value, self._input_device_options.get(name, self._device_option))
        workspace.RunOperatorOnce(op)
        loss = 0.0
        for index in outputs_with_grads:
            output = workspace.FetchBlob(op.output[index])
            loss += (output**2).sum() / 2.0
            workspace.FeedBlob(op.output[index] + "_grad", output, self._device_option)
        workspace.RunOperatorsOnce(grad_ops)
        if isinstance(grad_name, core.GradientSlice):
            return loss, self._dense(grad_name, inputs[input_to_check])
        return loss, workspace.FetchBlob(grad_name)

    def _dense(self, grad: core.GradientSlice, like: np.ndarray) -> np.ndarray:
        workspace.FeedBlob("zeros", np.zeros_like(like, dtype=np.float32))
        workspace.FeedBlob("ones", np.ones(1, dtype=np.float32))
        for blob in (grad.values, grad.indices):
            to_cpu = core.CreateOperator("EnsureCPUOutput", blob, blob + "_cpu", device_option=self._device_option)
            workspace.RunOperatorOnce(to_cpu)
        added = ["zeros", "ones", grad.indices + "_cpu", grad.values + "_cpu", "ones"]
        workspace.RunOperatorOnce(core.CreateOperator("ScatterWeightedSum", added, "zeros"))
        return workspace.FetchBlob("zeros")

    def CheckSimple(
        self,
        op: caffe2_pb2.OperatorDef,
        inputs: Sequence[np.ndarray],
        input_to_check: int,
        outputs_with_grads: Sequence[int],
        grad_ops: Sequence[caffe2_pb2.OperatorDef] | None = None,
        input_device_options: Mapping[str, caffe2_pb2.DeviceOption] | None = None,
        ensure_outputs_are_inferred: bool = False,
    ) -> tuple[bool, np.ndarray, np.ndarray]:
        """Whether the gradient of an input is right, the gradient, and its estimate by finite differences.

        grad_ops: operators to check in place of the operator's own; they write INPUT_grad.
        ensure_outputs_are_inferred: check the inferred shapes and types of the gradients too.
        Only a few elements are estimated, the others taken for right, unless the environment variable
        CAFFE2_FULL_GRAD_CHECK is 1.
        """
        with switched_workspace(self._workspace_name):
            op.device_option.CopyFrom(self._device_option)
            if grad_ops is None:
                grad_ops, grad_names = getGradientForOp(op)
            else:
                grad_names = [name + "_grad" for name in op.input]
            devices = input_device_options or core.InferOpBlobDevicesAsDict(op)[0]
            for name, value in zip(op.input, inputs):
                workspace.FeedBlob(name, value, devices.get(name, self._device_option))

            def run() -> tuple[float, np.ndarray]:
                grad_name = grad_names[input_to_check]
                return self.GetLossAndGrad(
                    op, grad_ops, inputs, op.input, input_to_check, grad_name, outputs_with_grads
                )

            _, grad = run()
            x = inputs[input_to_check]
            if x.shape != grad.shape:
                raise ValueError(f"Mismatched gradient shapes: estimated ({x.shape}), grad ({grad.shape})")
            if ensure_outputs_are_inferred:
                self._assertInferTensorChecks(op, grad_ops)
            estimate = self._estimate(x, grad, lambda: run()[0])
        wrong = np.flatnonzero(~np.isclose(grad, estimate, atol=self._threshold, rtol=self._threshold))
        if wrong.size:
            print("Failed. [idx, grad, grad_estimate] are:")
            print(np.vstack([wrong, grad.flat[wrong], estimate.flat[wrong]]).T)
        return not wrong.size, grad, estimate

    def _estimate(self, x: np.ndarray, grad: np.ndarray, loss: Any) -> np.ndarray:
        estimate = np.zeros_like(x)
        full = os.getenv("CAFFE2_FULL_GRAD_CHECK") == "1"
        for i in range(x.size):
            if not full and _ENDS <= i < x.size - _ENDS:
                estimate.flat[i] = grad.flat[i]
                continue
            value, losses = x.flat[i], []
            for step in (self._stepsize, -self._stepsize):
                x.flat[i] = value + step
                losses.append(loss())
            x.flat[i] = value
            estimate.flat[i] = (losses[0] - losses[1]) / self._stepsize / 2
        return estimate

    def _assertInferTensorChecks(self, op: caffe2_pb2.OperatorDef, grad_ops: Sequence[caffe2_pb2.OperatorDef]) -> None:
        net = caffe2_pb2.NetDef(op=[op, *grad_ops])
        shapes, types = workspace.InferShapesAndTypes([net], nets_proto=True)
        for output in {name for grad_op in grad_ops for name in grad_op.output}:
            if output not in shapes:
                raise ValueError(f"expected output {output} to be inferred")
            blob = workspace.FetchBlob(output)
            for kind, want, got in (
                ("shape", list(blob.shape), list(shapes[output])),
                ("type", proto_type(blob), types[output]),
            ):
                if want != got:
                    raise ValueError(f"Mismatched inferred {kind} of {output}: want({want}), got({got})")
