"""The builder of nets and steps: operators go to the current net of the innermost builder."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from caffe2.python import core
from caffe2.python._core.net_names import Builder
from caffe2.python._misuse import demand


def current_net() -> core.Net:
    """The net that operators go to now."""
    return NetBuilder.current().current_net()


def const(value: Any, blob_out: Any = None) -> core.BlobReference:
    """A blob of a constant, in the current net."""
    return current_net().Const(value, blob_out=blob_out)


class NetBuilder(Builder):
    """Nets and builders, in the order in which they run; core.to_execution_step makes a step of them.

    Blobs named in `initial_scope`, those of the builder around, and those of its own nets are in its lexical scope,
    which nets of control operators may read and write.
    """

    def __init__(
        self,
        name: str | None = None,
        initial_scope: Iterable[Any] | None = None,
        _stop_blob_required: bool = False,
        _stop_blob: core.BlobReference | None = None,
        _fullname: str | None = None,
        _use_control_ops: bool = False,
    ) -> None:
        parent = NetBuilder.current(required=False)
        demand(not (_fullname and name), "Cannot set both _fullname and name")
        self.name = _fullname or "/".join(filter(None, (parent.name if parent else None, name)))
        self._frozen = False
        self._current_net: core.Net | None = None
        self._children: list[Any] = []
        self._init_lexical_scope = {str(blob) for blob in initial_scope or ()}
        if parent:
            parent._update_lexical_scope()
            self._init_lexical_scope |= parent._lexical_scope
        self._lexical_scope = set(self._init_lexical_scope)
        self._stop_blob = _stop_blob
        self._stop_blob_required = _stop_blob_required
        self._use_control_ops = _use_control_ops
        demand(not (_use_control_ops and (_stop_blob_required or _stop_blob)), _NO_STOP)

    def stop_blob(self) -> core.BlobReference:
        """The blob that ends this builder's step once it is true, to be written in the current net at once.

        It starts as false, set by an own net before all others where the current net is not the first.
        """
        demand(not self._use_control_ops, _NO_STOP)
        if self._stop_blob is None:
            net = self.current_net()
            self._stop_blob = core.BlobReference(net.NextName("stop_blob"), net=net)
            net.Const(False, blob_out=self._stop_blob)
            if net != self._children[0]:
                self._children.insert(0, core.Net("stop_blob_init"))
                self._children[0].Const(False, blob_out=self._stop_blob)
        return self._stop_blob

    def stop_if(self, blob: core.BlobReference) -> None:
        """End this builder's step if `blob` is true."""
        stop_blob = self.stop_blob()
        current_net().Or([stop_blob, blob], [stop_blob])
        self._current_net = None

    def _update_lexical_scope(self) -> None:
        self._lexical_scope = set(self._init_lexical_scope)
        for child in self._children:
            if isinstance(child, core.Net):
                self._lexical_scope |= child.UsedBlobNames()
            elif isinstance(child, NetBuilder) and child._use_control_ops:
                self._lexical_scope |= child._lexical_scope

    def _assert_mutable(self) -> None:
        demand(not self._frozen, f"This NetBuilder ({self.name}) has been built already.")

    def _take_children(self) -> list[Any]:
        """The parts so far, which are its no more."""
        children, self._children = self._children, []
        self._current_net = None
        self._lexical_scope = set(self._init_lexical_scope)
        return children

    def _become(self, net: core.Net) -> None:
        """Have `net` as the only part."""
        self._current_net = net
        self._children = [net]

    def add(self, child: Any) -> Any:
        """Have a net, a builder or a task group run next; it is given back."""
        self._assert_mutable()
        demand(
            not self._use_control_ops
            or isinstance(child, core.Net)
            or (isinstance(child, NetBuilder) and child._use_control_ops),
            "within control operators there are only nets and control operators",
        )
        self._children.append(child)
        self._current_net = child if isinstance(child, core.Net) else None
        self._update_lexical_scope()
        return child

    def current_net(self, name: str | None = None) -> core.Net:
        """The net that operators go to; a new one where there is none, or where a name is given."""
        self._assert_mutable()
        if self._current_net is None or name is not None:
            self.add(core.Net(name))
        return self._current_net

    def freeze(self) -> None:
        """Settle this builder and the builders in it."""
        for child in self._children:
            if hasattr(child, "freeze"):
                child.freeze()
        self._current_net = None
        self._frozen = True

    def get(self) -> list[Any]:
        """The parts, which are settled now."""
        self.freeze()
        return self._children

    def _finish(self) -> None:
        """Add what is still missing, while this is the current builder."""

    def __exit__(self, etype: Any, *args: Any) -> None:
        try:
            if etype is None:
                self._finish()
        finally:
            super().__exit__(etype, *args)
        if self._use_control_ops and self._children:
            children = self._take_children()
            self._children = [NetBuilder.merge_nets(children, self._lexical_scope)]
        self.freeze()
        demand(
            etype is not None or not self._stop_blob_required or self._stop_blob is not None,
            f"This NetBuilder ({self.name}) requires a stop condition to be set with `stop` or `stop_if`",
        )

    @staticmethod
    def merge_nets(nets_or_builders: Iterable[Any], outer_blob_names: Collection[str]) -> core.Net | None:
        """The first net with the operators of all others appended; None where there are no nets.

        Its external outputs are those of all nets that are in `outer_blob_names`: what a later net hands on may be an
        inner blob of the whole.
        """
        nets = [net for part in nets_or_builders for net in (part.get() if isinstance(part, NetBuilder) else [part])]
        if not nets:
            return None
        merged = nets[0]
        for net in nets[1:]:
            merged.AppendNet(net)
        outputs = [blob for blob in merged.Proto().external_output if blob in outer_blob_names]
        merged.Proto().external_output[:] = outputs
        return merged

    def __str__(self) -> str:
        return self.name or "Un-named NetBuilder"


_NO_STOP = "Stop blobs are not used with control operators"
