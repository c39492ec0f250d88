"""Creating operators: an OperatorDef from a type, blobs and arguments, within the current scopes."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterable
from typing import Any

from caffe2.proto import caffe2_pb2
from caffe2.python import scope, workspace
from caffe2.python._core.arguments import MakeArgument
from caffe2.python._core.blob_reference import _RectifyInputOutput


def CreateOperator(
    operator_type: str,
    inputs: Any,
    outputs: Any,
    name: str = "",
    control_input: Any = None,
    device_option: caffe2_pb2.DeviceOption | None = None,
    arg: Iterable[caffe2_pb2.Argument] | None = None,
    engine: str | None = None,
    debug_info: str | None = None,
    **kwargs: Any,
) -> caffe2_pb2.OperatorDef:
    """An operator definition; names of blobs get the current name scope, references are taken as they are.

    Its device is `device_option`, else that of the current device scope, else none. `random_seed` goes into its device
    option; the other keywords that are not None become arguments, after those in `arg`. In immediate mode it is run.
    """
    operator = caffe2_pb2.OperatorDef(type=operator_type, name=name)
    operator.input.extend(map(str, _RectifyInputOutput(inputs)))
    operator.output.extend(map(str, _RectifyInputOutput(outputs)))
    if control_input:
        operator.control_input.extend(map(str, _RectifyInputOutput(control_input)))
    device = scope.CurrentDeviceScope() if device_option is None else device_option
    if device is not None:
        operator.device_option.CopyFrom(device)
    seed = kwargs.pop("random_seed", None)
    if seed is not None:
        operator.device_option.random_seed = seed
    if engine is not None:
        operator.engine = engine
    if os.environ.get("CAFFE2_DEBUG"):
        operator.debug_info = "".join(traceback.format_stack()[:-1])
    if debug_info is not None:
        operator.debug_info = debug_info
    operator.arg.extend(arg or ())
    operator.arg.extend(MakeArgument(key, value) for key, value in kwargs.items() if value is not None)
    if workspace.IsImmediate():
        workspace.RunOperatorImmediate(operator)
    return operator
