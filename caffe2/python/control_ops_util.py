"""Control operators on nets: If and While over nets that run in workspaces of their own."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from caffe2.python._core.blob_reference import BlobReference
from caffe2.python._core.net import Net
from caffe2.python._core.operators import DataType
from caffe2.python._core.ssa import get_ssa, get_undefined_blobs
from caffe2.python._misuse import demand


def get_external_blob_names(net: Net, lexical_scope: Collection[str]) -> tuple[set[str], set[str]]:
    """The blobs that a net reads from outside, and those of `lexical_scope` that it writes.

    Raises Misuse where it reads one that is not in sight.
    """
    inputs = get_undefined_blobs(get_ssa(net.Proto())[0])
    for name in sorted(inputs):
        demand(name in lexical_scope, f"Input blob {name} is undefined")
    return inputs, {name for op in net.Proto().op for name in op.output if name in lexical_scope}


class _Body:
    """A net within a Do operator: the net that holds it, its blobs outside, and its stack of workspaces."""

    def __init__(self, owner: Net, name: str, workspace: str, net: Net, inputs: Iterable[str], outputs: Iterable[str]):
        self.inputs, self.outputs = sorted(inputs), sorted(outputs)
        self.workspace = owner.NextScopedBlob(f"{owner.Name()}/{workspace}")
        self.net, self._inner, self._owner = Net(name), net, owner

    def run(self, **arguments: Any) -> Net:
        """Append the Do operator, and the making of its workspaces to the owner; the net that holds the operator."""
        self._owner.CreateScope([], [self.workspace])
        blobs = self.inputs + self.outputs
        bound = list(dict.fromkeys(blobs))
        outputs = [*_references(self.outputs), self.workspace]
        self.net.Do(
            [*_references(self.inputs), self.workspace],
            outputs,
            net=self._inner.Proto(),
            inner_blobs=bound,
            outer_blobs_idx=[blobs.index(name) for name in bound],
            **arguments,
        )
        self.net.AddExternalOutput(*outputs)
        return self.net


def _references(names: Iterable[str]) -> list[BlobReference]:
    return list(map(BlobReference, names))


def add_if_op(
    if_net: Net,
    cond_blob: BlobReference,
    lexical_scope: Collection[str],
    then_net: Net,
    else_net: Net | None = None,
) -> None:
    """Append to `if_net` an If operator that runs `then_net` where a boolean blob is true, `else_net` otherwise.

    Blobs in `lexical_scope`, and those that a net reads first, are those outside; the others are local to the branch.
    """
    bodies = {}
    for branch, net in (("then", then_net), ("else", else_net)):
        if net is not None:
            blobs = get_external_blob_names(net, lexical_scope)
            bodies[branch] = _Body(if_net, f"do_{branch}_net", f"workspace_if_{branch}", net, *blobs)
    workspaces = [body.workspace for body in bodies.values()]
    inputs = _references(sorted({name for body in bodies.values() for name in body.inputs}))
    outputs = _references(sorted({name for body in bodies.values() for name in body.outputs})) + workspaces
    nets = {f"{branch}_net": body.run().Proto() for branch, body in bodies.items()}
    if_net.If([cond_blob, *inputs, *workspaces], outputs, **nets)
    if_net.AddExternalOutput(*outputs)


def add_while_op(
    while_net: Net,
    cond_blob: BlobReference,
    lexical_scope: Collection[str],
    loop_body_net: Net,
    condition_body_net: Net | None = None,
) -> None:
    """Append to `while_net` a While operator that runs `loop_body_net` as long as a boolean blob is true.

    condition_body_net: makes that blob, before each look at it, in a workspace of its own.
    Blobs in `lexical_scope`, and those that a net reads first, are those outside; the others are local.
    """
    read, written = get_external_blob_names(loop_body_net, lexical_scope)
    # The loop may not run even once, so what it writes has to be there before.
    loop = _Body(while_net, "do_loop_body_net", "workspace_loop_body", loop_body_net, read | written, written)
    inputs, outputs = [*_references(loop.inputs), loop.workspace], [*_references(loop.outputs), loop.workspace]
    nets = {"loop_net": loop.run(copy_external_blobs=True).Proto()}
    if condition_body_net is not None:
        condition = _condition(while_net, cond_blob, lexical_scope, condition_body_net)
        nets["cond_net"] = condition.run().Proto()
        new_in = [name for name in condition.inputs if name not in loop.inputs]
        new_out = [name for name in condition.outputs if name not in loop.outputs]
        inputs += [*_references(new_in), condition.workspace]
        outputs += [*_references(new_out), condition.workspace]
        if str(cond_blob) not in lexical_scope:
            while_net.ConstantFill([], cond_blob, dtype=DataType.BOOL, value=False)
    while_net.While([cond_blob, *inputs], outputs, **nets)
    while_net.AddExternalOutput(*outputs)


def _condition(while_net: Net, cond_blob: BlobReference, lexical_scope: Collection[str], net: Net) -> _Body:
    name = str(cond_blob)
    written = any(name in op.output for op in net.Proto().op)
    demand(written, f"Condition net does not write into condition blob {name}")
    inputs, outputs = get_external_blob_names(net, lexical_scope)
    return _Body(while_net, "do_loop_condition_net", "workspace_loop_cond", net, inputs, outputs | {name})
