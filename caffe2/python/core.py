"""The core of the front end: blobs by name, operators, nets, gradients, execution steps and plans."""

from caffe2.python._core.blob_reference import BlobReference, GradientSlice, ScopedBlobReference, ScopedName, _RectifyInputOutput  # noqa: F401
from caffe2.python._core.create import CreateOperator  # noqa: F401
from caffe2.python._core.device_copies import InjectCrossDeviceCopies, InjectDeviceCopiesAmongNets, InjectDeviceCopiesAmongNetsWithoutB2D, RemapEntry, copy_func_between_devices, update_placeholder_op_output  # noqa: F401
from caffe2.python._core.devices import DeviceOption, InferBlobDevices, InferOpBlobDevices, InferOpBlobDevicesAsDict, InferOpDeviceAsBlobDevices, IsGPUDeviceType, device_equal, device_option_equal  # noqa: F401
from caffe2.python._core.gradient_ir import GetIndexFromGradientList, IR, OpSSA  # noqa: F401
from caffe2.python._core.gradient_registry import GradientRegistry  # noqa: F401
from caffe2.python._core.gradient_sums import GradGenMeta, IS_AUTO_GEN_SUM_OPS_TAG, ONLY_KEEP_IS_AUTO_GEN_SUM_OPS_TAG, SparseGradGenMeta  # noqa: F401
from caffe2.python._core.net import Net  # noqa: F401
from caffe2.python._core.net_clone import clone_and_bind_net  # noqa: F401
from caffe2.python._core.net_records import _recover_record_by_prefix  # noqa: F401
from caffe2.python._core.operators import DataType, IsOperator, IsOperatorWithEngine, RefreshRegisteredOperators, _GetRegisteredOperators, _REGISTERED_OPERATORS  # noqa: F401
from caffe2.python._core.plan import Plan, add_nets_in_order  # noqa: F401
from caffe2.python._core.python_operator import CreatePythonOperator, _RegisterPythonImpl  # noqa: F401
from caffe2.python._core.remap import DEFAULT_REMAP_FUNCS, control_op_remap, recurrent_network_op_remap, remap_input, remap_proto  # noqa: F401
from caffe2.python._core.ssa import get_op_ids_in_path, get_output_producers, get_ssa, get_undefined_blobs  # noqa: F401
from caffe2.python._core.step import ExecutionStep, _add_net_to_dict, execution_step, get_net_name, scoped_execution_step, to_execution_step  # noqa: F401
from caffe2.python.scope import DeviceScope, NameScope  # noqa: F401
from caffe2.python._workspace.devices import GlobalInit  # noqa: F401
from caffe2.python import _import_c_extension as C

SetPerOpEnginePref = C.set_per_op_engine_pref
SetGlobalEnginePref = C.set_global_engine_pref
SetEnginePref = C.set_engine_pref
SetOpEnginePref = C.set_op_engine_pref
