"""Reference checks whose inputs, outputs and gradient operators are recorded to files and compared with them.

A record is FILE.TEST.zip in the folder data/operator_test: the operator as op.pb, its gradient operators as
grad_0.pb, grad_1.pb ..., and inputs, outputs and device type as inout.npz.
"""

from __future__ import annotations

import argparse
import inspect
import io
import os
import sys
import threading
import unittest
from collections.abc import Callable, Sequence
from typing import Any
from zipfile import ZipFile

import hypothesis as hy
import numpy as np

from caffe2.proto import caffe2_pb2
from caffe2.python import gradient_checker
from caffe2.python import hypothesis_test_util as hu

operator_test_type = "operator_test"
TOP_DIR = os.path.dirname(os.path.realpath(__file__))
DATA_SUFFIX = "data"
DATA_DIR = os.path.join(TOP_DIR, DATA_SUFFIX)
_output_context = threading.local()

Op = caffe2_pb2.OperatorDef


def given(*given_args: Any, **given_kwargs: Any) -> Callable[[Callable], Callable]:
    """hypothesis.given for a SerializedTestCase: one example that is recorded, or compared, and one that is not."""

    def wrapper(f: Callable) -> Callable:
        recorded, free = (
            hy.seed(0)(hy.settings(max_examples=1)(hy.given(*given_args, **given_kwargs)(f))) for _ in range(2)
        )

        def func(self: SerializedTestCase, *args: Any, **kwargs: Any) -> None:
            self.should_serialize = True
            recorded(self, *args, **kwargs)
            self.should_serialize = False
            free(self, *args, **kwargs)

        return func

    return wrapper


def _getGradientOrNone(op_proto: Op) -> list[Op]:
    """The gradient operators of an operator; none where it has no gradient."""
    try:
        return gradient_checker.getGradientForOp(op_proto)[0]
    except Exception:
        return []


def _transformList(l: Sequence[Any]) -> np.ndarray:
    """An array whose elements are these arrays."""
    transformed = np.empty(len(l), dtype=object)
    for i, value in enumerate(l):
        transformed[i] = value
    return transformed


class SerializedTestCase(hu.HypothesisTestCase):
    """A HypothesisTestCase whose reference checks are recorded, or compared with their record where there is one."""

    should_serialize = False

    def get_output_dir(self) -> str:
        """The folder of the records: within the package, or where there is none, below the current folder."""
        folder = os.path.join(getattr(_output_context, "output_dir", DATA_DIR), operator_test_type)
        if os.path.exists(folder):
            return folder
        package = __name__.split(".")[:-1]
        return os.path.join(os.getcwd(), *package, DATA_SUFFIX, operator_test_type)

    def get_output_filename(self) -> str:
        """FILE.TEST, the name of the record."""
        file = os.path.basename(inspect.getfile(type(self))).split(".")[0]
        return f"{file}.{self.id().split('.')[-1]}"

    def _path(self) -> str:
        return os.path.join(self.get_output_dir(), self.get_output_filename() + ".zip")

    def serialize_test(
        self, inputs: Sequence[Any], outputs: Sequence[Any], grad_ops: Sequence[Op], op: Op, device_option: Any
    ) -> None:
        """Record a check."""
        arrays = io.BytesIO()
        device_type = int(device_option.device_type)
        np.savez_compressed(
            arrays, inputs=_transformList(inputs), outputs=_transformList(outputs), device_type=device_type
        )
        path = self._path()
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with ZipFile(path, "w") as record:
            record.writestr("op.pb", op.SerializeToString())
            record.writestr("inout.npz", arrays.getvalue())
            for i, grad in enumerate(grad_ops):
                record.writestr(f"grad_{i}.pb", grad.SerializeToString())

    def compare_test(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        grad_ops: Sequence[Op],
        atol: float = 1e-7,
        rtol: float = 1e-7,
    ) -> None:
        """Check outputs and gradient operators against the record; for other inputs its own operator is run."""
        with ZipFile(self._path()) as record:
            loaded = np.load(io.BytesIO(record.read("inout.npz")), encoding="bytes", allow_pickle=True)
            op = Op.FromString(record.read("op.pb"))
            recorded_inputs, recorded_outputs = loaded["inputs"].tolist(), loaded["outputs"].tolist()
            if not all(np.array_equal(x, y) for x, y in zip(inputs, recorded_inputs)):
                device = caffe2_pb2.DeviceOption(device_type=int(loaded["device_type"]))
                outputs = hu.runOpOnInput(device, op, recorded_inputs)
                grad_ops = _getGradientOrNone(op)
            for x, y in zip(outputs, recorded_outputs):
                np.testing.assert_allclose(x, y, atol=atol, rtol=rtol)
            for i, grad in enumerate(grad_ops):
                self._assertSameOps(Op.FromString(record.read(f"grad_{i}.pb")), grad)

    def _assertSameOps(self, op1: Op, op2: Op) -> None:
        """Two operators are equal but for the order of their arguments."""
        copies = []
        for op in (op1, op2):
            copies.append(Op())
            copies[-1].CopyFrom(op)
            copies[-1].arg.sort(key=lambda arg: arg.name)
        self.assertEqual(*copies)

    def assertSerializedOperatorChecks(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        gradient_operator: Sequence[Op],
        op: Op,
        device_option: Any,
        atol: float = 1e-7,
        rtol: float = 1e-7,
    ) -> None:
        """Record a check if that was asked for; otherwise compare it with its record, if there is one."""
        if not self.should_serialize:
            return
        if getattr(_output_context, "should_generate_output", False):
            self.serialize_test(inputs, outputs, gradient_operator, op, device_option)
        elif os.path.exists(self._path()):
            self.compare_test(inputs, outputs, gradient_operator, atol, rtol)

    def assertReferenceChecks(
        self,
        device_option: Any,
        op: Op,
        inputs: Sequence[Any],
        reference: Callable[..., Sequence[Any]],
        input_device_options: Any = None,
        threshold: float = 1e-4,
        output_to_grad: str | None = None,
        grad_reference: Callable[..., Sequence[Any]] | None = None,
        atol: float | None = None,
        outputs_to_check: Sequence[int] | None = None,
        ensure_outputs_are_inferred: bool = False,
    ) -> None:
        """HypothesisTestCase.assertReferenceChecks, recorded or compared with its record."""
        outputs = super().assertReferenceChecks(
            device_option,
            op,
            inputs,
            reference,
            input_device_options,
            threshold,
            output_to_grad,
            grad_reference,
            atol,
            outputs_to_check,
            ensure_outputs_are_inferred,
        )
        if not getattr(_output_context, "disable_serialized_check", False):
            atol = threshold if atol is None else atol
            gradients = _getGradientOrNone(op)
            self.assertSerializedOperatorChecks(inputs, outputs, gradients, op, device_option, atol, threshold)


def testWithArgs() -> None:
    """Run the tests of the main module, with arguments that say where records are and whether they are written."""
    parser = argparse.ArgumentParser()
    add = parser.add_argument
    add("-G", "--generate-serialized", action="store_true", dest="generate", help="write records, compare none")
    add("-O", "--output", default=DATA_DIR, help="the folder of the records (default: %(default)s)")
    add("-D", "--disable-serialized_check", action="store_true", dest="disable", help="neither write nor compare")
    add("-C", "--disable-gen-coverage", action="store_true", help="accepted for scripts that pass it")
    add("unittest_args", nargs="*")
    args = parser.parse_args()
    sys.argv[1:] = args.unittest_args
    _output_context.should_generate_output = args.generate
    _output_context.output_dir = args.output
    _output_context.disable_serialized_check = args.disable
    unittest.main()


testWithArgs.__test__ = False
