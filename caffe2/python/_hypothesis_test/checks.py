"""HypothesisTestCase: operators checked against references, gradients, validators and other devices."""

from __future__ import annotations

import copy
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch

from caffe2.ops import native
from caffe2.proto import caffe2_pb2
from caffe2.python import core, device_checker, gradient_checker, test_util, workspace
from caffe2.python._misuse import demand
from caffe2.python.test_util import proto_type, switched_workspace

logger = logging.getLogger(__name__)

# The first shape that torch infers loads its compiler, for a second or two, and the first use of a compiled kernel on a
# machine builds it: not on the time of a test with a deadline.
torch.zeros(0, device="meta").add(1)
native.build()

Device = caffe2_pb2.DeviceOption
Op = caffe2_pb2.OperatorDef
Devices = Mapping[str, Device] | None


def temp_workspace(name: str | bytes = b"temp_ws") -> AbstractContextManager[None]:
    """Be in a workspace within, which is reset afterwards."""
    return switched_workspace(name.decode() if isinstance(name, bytes) else name)


def _on(device: Device, op: Op) -> Op:
    op = copy.deepcopy(op)
    op.device_option.CopyFrom(device)
    return op


def _feed(device: Device, op: Op, inputs: Sequence[Any], input_device_options: Devices) -> None:
    devices = input_device_options or core.InferOpBlobDevicesAsDict(op)[0]
    for name, value in zip(op.input, inputs):
        workspace.FeedBlob(name, value, device_option=devices.get(name, device))


def _demand_inputs(op: Op, inputs: Sequence[Any]) -> None:
    if len(op.input) > len(inputs):
        raise ValueError(f"must supply an input for each input on the op: {op.input} vs {inputs}")


def runOpBenchmark(
    device_option: Device, op: Op, inputs: Sequence[Any], input_device_options: Devices = None, iterations: int = 10
) -> Any:
    """The milliseconds that an operator takes, as BenchmarkNet gives them."""
    op = _on(device_option, op)
    net = caffe2_pb2.NetDef(op=[op], name=op.name or "test")
    with temp_workspace():
        _feed(device_option, op, inputs, input_device_options)
        workspace.CreateNet(net)
        return workspace.BenchmarkNet(net.name, 1, iterations, True)


def runOpOnInput(
    device_option: Device, op: Op, inputs: Sequence[Any], input_device_options: Devices = None
) -> list[Any]:
    """The outputs of an operator for these inputs on a device."""
    op = _on(device_option, op)
    _demand_inputs(op, inputs)
    with temp_workspace():
        _feed(device_option, op, inputs, input_device_options)
        workspace.RunOperatorOnce(op)
        return [workspace.FetchBlob(name) for name in op.output]


class HypothesisTestCase(test_util.TestCase):
    """A test whose methods check operators; they fail by AssertionError."""

    def assertDeviceChecks(
        self,
        device_options: Sequence[Device],
        op: Op,
        inputs: Sequence[Any],
        outputs_to_check: Sequence[int],
        input_device_options: Devices = None,
        threshold: float = 0.01,
    ) -> None:
        """The outputs of an operator are equal on all devices."""
        checker = device_checker.DeviceChecker(threshold, device_options=device_options)
        self.assertTrue(checker.CheckSimple(op, inputs, outputs_to_check, input_device_options))

    def assertGradientChecks(
        self,
        device_option: Device,
        op: Op,
        inputs: Sequence[Any],
        outputs_to_check: int,
        outputs_with_grads: Sequence[int],
        grad_ops: Sequence[Op] | None = None,
        threshold: float = 0.005,
        stepsize: float = 0.05,
        input_device_options: Devices = None,
        ensure_outputs_are_inferred: bool = False,
    ) -> None:
        """The gradient of the input at `outputs_to_check` equals its estimate by finite differences."""
        checker = gradient_checker.GradientChecker(
            stepsize=stepsize,
            threshold=threshold,
            device_option=device_option,
            workspace_name=str(device_option),
            input_device_options=input_device_options,
        )
        right, grad, estimate = checker.CheckSimple(
            op,
            inputs,
            outputs_to_check,
            outputs_with_grads,
            grad_ops=grad_ops,
            input_device_options=input_device_options,
            ensure_outputs_are_inferred=ensure_outputs_are_inferred,
        )
        self.assertEqual(grad.shape, estimate.shape)
        self.assertTrue(right, f"Gradient check failed for input {op.input[outputs_to_check]}")

    def _assertGradReferenceChecks(
        self,
        op: Op,
        inputs: Sequence[Any],
        ref_outputs: Sequence[Any],
        output_to_grad: str,
        grad_reference: Callable[..., Sequence[Any]],
        threshold: float = 1e-4,
    ) -> None:
        given = output_to_grad + "_grad"
        grad_ops, grad_map = core.GradientRegistry.GetBackwardPass([op], {output_to_grad: given})
        output = workspace.FetchBlob(output_to_grad)
        references = grad_reference(output, ref_outputs, inputs)
        workspace.FeedBlob(given, output)
        workspace.RunOperatorsOnce(grad_ops)
        self.assertEqual(len(references), len(inputs))
        for name, reference in zip(op.input, references):
            grad = grad_map.get(name)
            if not grad:
                self.assertIsNone(reference)
                continue
            if isinstance(grad, core.GradientSlice):
                reference, indices = reference
                found = workspace.FetchBlob(str(grad.indices))
                np.testing.assert_allclose(found, indices, atol=1e-4, rtol=1e-4)
                grad = grad.values
            message = f"Gradient {grad} (x) is not matching the reference (y)"
            found = workspace.FetchBlob(str(grad))
            np.testing.assert_allclose(found, reference, atol=threshold, rtol=threshold, err_msg=message)

    def _assertInferTensorChecks(
        self,
        name: str,
        shapes: Mapping[str, Any],
        types: Mapping[str, Any],
        output: Any,
        ensure_output_is_inferred: bool = False,
    ) -> None:
        self.assertTrue(not ensure_output_is_inferred or name in shapes, f"Shape for {name} was not inferred")
        if name not in shapes:
            return
        output = workspace.FetchBlob(name)
        correct = proto_type(output)
        try:
            message = f"Shape {name} mismatch: {shapes[name]} vs. {output.shape}"
            np.testing.assert_array_equal(np.array(shapes[name]), np.array(output.shape), err_msg=message)
            # The original compares int32 alone: its inference is not sure of other types.
            if correct == caffe2_pb2.TensorProto.INT32:
                np.testing.assert_equal(types[name], correct, f"Type {name} mismatch: {types[name]} vs. {correct}")
        except AssertionError as error:
            logger.warning(str(error))
            if _shapes_must_be_inferred(ensure_output_is_inferred):
                raise

    def assertReferenceChecks(
        self,
        device_option: Device,
        op: Op,
        inputs: Sequence[Any],
        reference: Callable[..., Sequence[Any]],
        input_device_options: Devices = None,
        threshold: float = 1e-4,
        output_to_grad: str | None = None,
        grad_reference: Callable[..., Sequence[Any]] | None = None,
        atol: float | None = None,
        outputs_to_check: Sequence[int] | None = None,
        ensure_outputs_are_inferred: bool = False,
    ) -> list[Any]:
        """The outputs of an operator equal those of a function of the inputs; the outputs.

        reference: called with the inputs, gives all outputs, or those at `outputs_to_check`.
        threshold, atol: how far outputs may be off, relatively and, where atol is given, absolutely.
        output_to_grad, grad_reference: the gradients for this output equal those of a function of its gradient, the
            outputs and the inputs, which gives one for each input: an array, a pair of values and indices, or None.
        ensure_outputs_are_inferred: the inferred shapes are right; otherwise that is checked where
            CAFFE2_ASSERT_SHAPEINFERENCE is 1.
        """
        op = _on(device_option, op)
        _demand_inputs(op, inputs)
        with temp_workspace():
            _feed(device_option, op, inputs, input_device_options)
            net = core.Net("opnet")
            net.Proto().op.extend([op])
            inferred = self._infer(net, ensure_outputs_are_inferred)
            workspace.RunNetOnce(net)
            references = reference(*inputs)
            if not isinstance(references, (tuple, list)):
                raise RuntimeError(f"a reference gives a tuple or a list of arrays, not a {type(references).__name__}")
            if not outputs_to_check:
                self.assertEqual(len(references), len(op.output))
                outputs_to_check = range(len(op.output))
            outputs = []
            for name, expected in zip((op.output[i] for i in outputs_to_check), references):
                outputs.append(workspace.FetchBlob(name))
                _assert_matches(name, outputs[-1], expected, threshold if atol is None else atol, threshold)
                if inferred:
                    self._assertInferTensorChecks(name, *inferred, outputs[-1], ensure_outputs_are_inferred)
            if grad_reference is not None:
                demand(output_to_grad is not None, "grad_reference is for the gradient of an output: output_to_grad")
                with core.DeviceScope(device_option):
                    self._assertGradReferenceChecks(
                        op, inputs, references, output_to_grad, grad_reference, threshold=threshold
                    )
            return outputs

    @staticmethod
    def _infer(net: core.Net, must: bool) -> tuple[Any, Any] | None:
        try:
            return workspace.InferShapesAndTypes([net])
        except RuntimeError as error:
            logger.warning(str(error))
            if _shapes_must_be_inferred(must):
                raise
            return None

    def assertValidationChecks(
        self,
        device_option: Device,
        op: Op,
        inputs: Sequence[Any],
        validator: Callable[..., None],
        input_device_options: Devices = None,
        as_kwargs: bool = True,
        init_net: core.Net | None = None,
    ) -> None:
        """The outputs of an operator pass `validator`, a function of blobs by name, or of `inputs` and `outputs`."""
        names = [*op.input, *op.output]
        demand(not as_kwargs or len(set(names)) == len(names), f"with as_kwargs blobs have names of their own: {names}")
        op = _on(device_option, op)
        with temp_workspace():
            _feed(device_option, op, inputs, input_device_options)
            if init_net:
                workspace.RunNetOnce(init_net)
            workspace.RunOperatorOnce(op)
            outputs = [workspace.FetchBlob(name) for name in op.output]
            if as_kwargs:
                validator(**dict(zip(names, [*inputs, *outputs])))
            else:
                validator(inputs=inputs, outputs=outputs)

    def assertRunOpRaises(
        self,
        device_option: Device,
        op: Op,
        inputs: Sequence[Any],
        input_device_options: Devices = None,
        exception: Any = (Exception,),
        regexp: str | None = None,
    ) -> None:
        """An operator raises `exception`, whose text matches `regexp`."""
        op = _on(device_option, op)
        with temp_workspace():
            _feed(device_option, op, inputs, input_device_options)
            with self.assertRaises(exception) if regexp is None else self.assertRaisesRegex(exception, regexp):
                workspace.RunOperatorOnce(op)


def _shapes_must_be_inferred(must: bool) -> bool:
    return must or os.getenv("CAFFE2_ASSERT_SHAPEINFERENCE") == "1"


def _assert_matches(name: str, output: Any, expected: Any, atol: float, rtol: float) -> None:
    if output.dtype.kind in ("S", "O"):
        np.testing.assert_array_equal(output, expected)
    else:
        message = f"Output {name} is not matching the reference"
        np.testing.assert_allclose(output, expected, atol=atol, rtol=rtol, err_msg=message)
