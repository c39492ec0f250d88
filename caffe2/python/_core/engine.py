"""What the C extension of the original offers on operators, gradients and observers, under its names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from caffe2.opdef import gradient_ops
from caffe2.proto import caffe2_pb2
from caffe2.python._core.devices import InferOpBlobDevices
from caffe2.rewrite.recycle import recycle
from caffe2.runtime import observe
from caffe2.runtime.functions import functions
from caffe2.runtime.workspaces import workspaces


class GradientWrapper:
    """The gradient of one blob: empty, dense, or sparse with indices and values."""

    def __init__(self) -> None:
        self.dense = self.indices = self.values = ""

    def is_sparse(self) -> bool:
        """Whether it has indices or values."""
        return bool(self.indices or self.values)

    def is_dense(self) -> bool:
        """Whether it is one blob."""
        return bool(self.dense)

    def is_empty(self) -> bool:
        """Whether there is none."""
        return not self.is_sparse() and not self.is_dense()

    @staticmethod
    def of(gradient: str | tuple[str, str] | None) -> GradientWrapper:
        """The wrapper of a blob, of a pair (indices, values), or of None."""
        made = GradientWrapper()
        if isinstance(gradient, tuple):
            made.indices, made.values = gradient
        else:
            made.dense = gradient or ""
        return made

    def plain(self) -> str | tuple[str, str] | None:
        """What `of` makes this of."""
        return (self.indices, self.values) if self.is_sparse() else self.dense or None


def get_gradient_defs(op: bytes, g_output: Sequence[GradientWrapper]) -> tuple[list[bytes], list[GradientWrapper]]:
    """The serialized gradient operators of an operator, and the gradients of its inputs."""
    made, g_input = gradient_ops(caffe2_pb2.OperatorDef.FromString(op), [g.plain() for g in g_output])
    return [definition.SerializeToString() for definition in made], [GradientWrapper.of(g) for g in g_input]


def infer_op_input_output_device(op: bytes) -> tuple[list[bytes], list[bytes]]:
    """The serialized device options of an operator's inputs and of its outputs."""
    ins, outs = InferOpBlobDevices(caffe2_pb2.OperatorDef.FromString(op))
    return [d.SerializeToString() for d in ins], [d.SerializeToString() for d in outs]


def register_python_op(function: Callable, pass_workspace: bool, name: str) -> str:
    """Register a function for Python operators; the token that names it."""
    return functions.register(function, pass_workspace, name)


def register_python_gradient_op(token: str, function: Callable) -> None:
    """Register the gradient of a registered function."""
    functions.register_gradient(token, function)


def add_observer_to_net(name: str, kind: str) -> observe.Observer:
    """Attach an observer to a net of the current workspace."""
    return observe.attach(workspaces.current.net(name), kind)


def remove_observer_from_net(name: str, observer: observe.Observer) -> None:
    """Take an observer off a net."""
    observe.detach(observer)


def num_observers_on_net(name: str) -> int:
    """How many observers a net of the current workspace has."""
    return len(observe.watching(workspaces.current.net(name)))


class DummyName:
    """Names OC2_DUMMY_0, OC2_DUMMY_1 ... but for those that are in use."""

    def __init__(self) -> None:
        self.reset()

    def reset(self, args: Iterable[str] | None = None) -> None:
        """Begin anew, keeping clear of the names in `args`."""
        self._used, self._count = set(args or ()), 0

    def new_dummy_name(self) -> str:
        """The next name."""
        while True:
            name = f"OC2_DUMMY_{self._count}"
            self._count += 1
            if name not in self._used:
                self._used.add(name)
                return name


def _names(given: Iterable[str | bytes]) -> set[str]:
    return {name.decode() if isinstance(name, bytes) else str(name) for name in given}


def memonger_compute_blob_recycling_for_dag(
    net: bytes,
    heads: Sequence[str | bytes],
    op_indices: Sequence[int],
    shareable: Iterable[str | bytes],
    namescope: str | bytes,
    dont_share: Iterable[str | bytes],
    blob_shapes: Mapping[str, Sequence[int]],
) -> bytes:
    """A serialized net in which shareable blobs, of operators that depend on `heads`, share names."""
    definition = caffe2_pb2.NetDef.FromString(net)
    reached = _reached(definition, _names(heads), op_indices)
    shared = _names(shareable) - _names(dont_share)
    (scope,) = _names([namescope])
    return recycle(definition, shared, positions=reached, scope=scope, shapes=blob_shapes).SerializeToString()


def _reached(net: caffe2_pb2.NetDef, heads: set[str], op_indices: Iterable[int]) -> list[int]:
    """The operators at `op_indices` that read one of `heads`, or what such an operator makes."""
    blobs, reached = set(heads), []
    for position in sorted(op_indices):
        if not blobs.isdisjoint(net.op[position].input):
            reached.append(position)
            blobs.update(net.op[position].output)
    return reached


def memonger_optimize_inference_net(net: bytes, static_blobs: Iterable[str | bytes]) -> bytes:
    """A serialized net in which blobs share names by the order of operators; as it is where that order is not kept.

    So it is, too, with recurrent networks in it, or where it shares blobs already.
    """
    definition = caffe2_pb2.NetDef.FromString(net)
    recurrent = any(op.type == "RecurrentNetwork" for op in definition.op)
    blobs = {name for op in definition.op for name in op.output}
    if definition.type not in ("", "simple") or recurrent or any(name.startswith("__m") for name in blobs):
        return net
    return recycle(definition, blobs - _names(static_blobs), in_order=True).SerializeToString()
