import threading

import pytest

from caffe2.proto import caffe2_pb2
from caffe2.python import scope


def test_names_nest_and_reset():
    with scope.NameScope("a"):
        with scope.NameScope("b"):
            assert scope.CurrentNameScope() == "a/b/"
        with scope.NameScope("c", reset=True):
            assert scope.CurrentNameScope() == "c/"
        with scope.NameScope(None), scope.NameScope(""):
            assert scope.CurrentNameScope() == "a/"
        with scope.EmptyNameScope():
            assert scope.CurrentNameScope() == ""
    assert scope.CurrentNameScope() == ""


def test_an_error_leaves_the_scope():
    with pytest.raises(KeyError), scope.NameScope("a"):
        raise KeyError
    assert scope.CurrentNameScope() == ""


def test_a_name_scope_is_a_string():
    with pytest.raises(AssertionError, match="a name scope is a string, not 3"), scope.NameScope(3):
        pass


def test_a_device_inherits_node_and_extra_info():
    outer = caffe2_pb2.DeviceOption(node_name="n", extra_info=["b"])
    inner = caffe2_pb2.DeviceOption(device_type=1, device_id=2, extra_info=["a"])
    with scope.DeviceScope(outer), scope.DeviceScope(inner):
        device = scope.CurrentDeviceScope()
        assert (device.device_id, device.node_name, list(device.extra_info)) == (2, "n", ["a", "b"])
        with scope.EmptyDeviceScope():
            assert scope.CurrentDeviceScope() is None
    assert inner.node_name == "" and scope.CurrentDeviceScope() is None


def test_a_device_scope_needs_a_device_or_a_node():
    with pytest.raises(AssertionError), scope.DeviceScope(None):
        pass


def test_every_thread_has_its_own_scopes():
    seen = []
    with scope.NameScope("here"), scope.DeviceScope(caffe2_pb2.DeviceOption()):
        thread = threading.Thread(target=lambda: seen.append((scope.CurrentNameScope(), scope.CurrentDeviceScope())))
        thread.start()
        thread.join()
    assert seen == [("", None)]
