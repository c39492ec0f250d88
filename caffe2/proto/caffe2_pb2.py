"""The messages of caffe2.proto (tensors, arguments, operators, nets, plans, blobs), and short names of the device kinds."""

from caffe2.proto.pool import load

_names = load("caffe2")
globals().update(_names)
# CPU for PROTO_CPU, and so on.
globals().update((name.removeprefix("PROTO_"), number) for name, number in _names["DeviceTypeProto"].items())
