"""Drawings of nets and plans as graphs. Needs pydot, and graphviz to render them.

As a program, `python -m caffe2.python.net_drawer --input net.pb` writes the graph of a NetDef, or of each net of a
PlanDef, as <name>.dot and <name>.pdf.
"""

from __future__ import annotations

import argparse
import base64
import json
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from caffe2.proto import caffe2_pb2
from caffe2.python import utils

try:
    import pydot
except ImportError:
    pydot = None

logger = logging.getLogger(__name__)

OP_STYLE = {"shape": "box", "color": "#0F9D58", "style": "filled", "fontcolor": "#FFFFFF"}
BLOB_STYLE = {"shape": "octagon"}

MAX_PARALLEL_STEPS = 3
"""How many of the substeps that run at the same time are drawn."""

_DummyPngImage = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAsTj2FAAAAABJRU5ErkJggg=="
)
"""One white pixel, in place of a graph that cannot be rendered."""

OpNodeProducer = Callable[[caffe2_pb2.OperatorDef, int], Any]


def _pydot() -> Any:
    if pydot is None:
        raise ImportError("drawing nets needs pydot, and graphviz to render them: pip install 'caffe2[draw]'")
    return pydot


def _operators_and_name(operators_or_net: Any, name: str | None) -> tuple[Sequence[caffe2_pb2.OperatorDef], str]:
    """The operators of a NetDef, a Net, or a sequence of operators, and the name of the net unless one is given."""
    net = operators_or_net.Proto() if hasattr(operators_or_net, "Proto") else operators_or_net
    if isinstance(net, caffe2_pb2.NetDef):
        return net.op, net.name if name is None else name
    if net is not operators_or_net:
        raise RuntimeError(f"only nets are drawn, not a {type(net).__name__}")
    return operators_or_net, "unnamed" if name is None else name


def _quoted(text: str) -> str:
    return json.dumps(text)


def GetOpNodeProducer(append_output: bool, **kwargs: Any) -> OpNodeProducer:
    """A function of operator and index that makes its node, with the names of its outputs if `append_output`."""

    def node(op: caffe2_pb2.OperatorDef, op_id: int) -> Any:
        label = f"{op.name}/{op.type}" if op.name else op.type
        lines = [f"{label} (op#{op_id})", *(op.output if append_output else ())]
        return _pydot().Node("\n".join(lines), **kwargs)

    return node


def GetBlobNodeProducer(**kwargs: Any) -> Callable[[str, str], Any]:
    """A function of name and label that makes the node of a blob."""

    def node(node_name: str, label: str) -> Any:
        return _pydot().Node(node_name, label=label, **kwargs)

    return node


def GetPydotGraph(
    operators_or_net: Any,
    name: str | None = None,
    rankdir: str = "LR",
    op_node_producer: OpNodeProducer | None = None,
    blob_node_producer: Callable[[str, str], Any] | None = None,
) -> Any:
    """The graph of operators and blobs; a blob that is written again is a new node."""
    dot = _pydot()
    op_node_producer = op_node_producer or GetOpNodeProducer(False, **OP_STYLE)
    blob_node_producer = blob_node_producer or GetBlobNodeProducer(**BLOB_STYLE)
    operators, name = _operators_and_name(operators_or_net, name)
    graph = dot.Dot(name, rankdir=rankdir)
    current: dict[str, Any] = {}
    versions: defaultdict[str, int] = defaultdict(int)

    def new_blob(blob: str) -> Any:
        current[blob] = blob_node_producer(_quoted(f"{blob}{versions[blob]}"), label=_quoted(blob))
        graph.add_node(current[blob])
        return current[blob]

    for op_id, op in enumerate(operators):
        op_node = op_node_producer(op, op_id)
        graph.add_node(op_node)
        for blob in op.input:
            graph.add_edge(dot.Edge(current.get(blob) or new_blob(blob), op_node))
        for blob in op.output:
            versions[blob] += blob in current
            graph.add_edge(dot.Edge(op_node, new_blob(blob)))
    return graph


def GetPydotGraphMinimal(
    operators_or_net: Any,
    name: str | None = None,
    rankdir: str = "LR",
    minimal_dependency: bool = False,
    op_node_producer: OpNodeProducer | None = None,
) -> Any:
    """The graph of operators alone, each after those whose outputs it reads.

    With `minimal_dependency`, an edge is left out where others imply it: c after a, where c is after b and b after a.
    """
    dot = _pydot()
    op_node_producer = op_node_producer or GetOpNodeProducer(False, **OP_STYLE)
    operators, name = _operators_and_name(operators_or_net, name)
    graph = dot.Dot(name, rankdir=rankdir)
    nodes: list[Any] = []
    writer: dict[str, int] = {}
    before: list[set[int]] = []
    for op_id, op in enumerate(operators):
        nodes.append(op_node_producer(op, op_id))
        graph.add_node(nodes[-1])
        parents = list(dict.fromkeys(writer[blob] for blob in op.input if blob in writer))
        implied = set().union(*(before[parent] for parent in parents))
        before.append(implied.union(parents))
        for parent in parents:
            if not (minimal_dependency and parent in implied):
                graph.add_edge(dot.Edge(nodes[parent], nodes[-1]))
        writer.update((blob, op_id) for blob in op.output)
    return graph


def GetOperatorMapForPlan(plan_def: caffe2_pb2.PlanDef) -> dict[str, Sequence[caffe2_pb2.OperatorDef]]:
    """The operators of every net of a plan, by the names of plan and net."""
    names = [net.name if net.HasField("name") else f"network_{i}" for i, net in enumerate(plan_def.network)]
    return {f"{plan_def.name}_{name}": net.op for name, net in zip(names, plan_def.network)}


def GetPlanGraph(plan_def: caffe2_pb2.PlanDef, name: str | None = None, rankdir: str = "TB") -> Any:
    """The graph of the steps of a plan, their substeps and the names of their nets."""
    graph = _pydot().Dot(name, rankdir=rankdir)
    _draw_steps(plan_def.execution_step, graph)
    return graph


def _draw_chain(nodes: Sequence[Any], graph: Any, linked: bool = True) -> Sequence[Any]:
    for i, node in enumerate(nodes):
        graph.add_node(node)
        if linked and i:
            graph.add_edge(pydot.Edge(nodes[i - 1], node))
    return nodes


def _draw_steps(steps: Sequence[caffe2_pb2.ExecutionStep], graph: Any, linked: bool = True) -> Sequence[Any]:
    nodes = _draw_chain([pydot.Node(_quoted(_step_label(step)), **OP_STYLE) for step in steps], graph, linked)
    for step, node in zip(steps, nodes):
        parallel = step.concurrent_substeps
        if step.network:
            inner = _draw_chain([pydot.Node(_quoted(net)) for net in step.network], graph)
        elif step.substep:
            inner = _draw_steps(step.substep[:MAX_PARALLEL_STEPS] if parallel else step.substep, graph, not parallel)
        else:
            raise ValueError(f"step {step.name!r} has neither nets nor substeps")
        left_out = len(step.substep) - MAX_PARALLEL_STEPS
        if parallel and left_out > 0:
            inner = [*inner, *_draw_chain([pydot.Node(f"{left_out} more steps", **OP_STYLE)], graph)]
        for below in inner if parallel else inner[:1]:
            graph.add_edge(pydot.Edge(node, below, arrowhead="dot", style="dashed"))
    return nodes


def _step_label(step: caffe2_pb2.ExecutionStep) -> str:
    facts = {
        f"Reporter: {step.report_net}": step.report_net,
        f"Stopper: {step.should_stop_blob}": step.should_stop_blob,
        "Concurrent": step.concurrent_substeps,
        "Once": step.only_once,
    }
    return "\n".join([f"{step.name}\n", *(fact for fact, holds in facts.items() if holds)])


def GetGraphInJson(operators_or_net: Any, output_filepath: str) -> None:
    """Write the graph of GetPydotGraph as {"nodes": [{id, label, type, op_id?}], "edges": [{source, target}]}."""
    operators, _ = _operators_and_name(operators_or_net, None)
    nodes: list[dict[str, Any]] = []
    edges: list[dict[str, int]] = []
    current: dict[str, int] = {}

    def new_node(**facts: Any) -> int:
        nodes.append({"id": len(nodes), **facts})
        return nodes[-1]["id"]

    for op_id, op in enumerate(operators):
        node = new_node(label=f"{op.name}/{op.type}" if op.name else op.type, op_id=op_id, type="op")
        for blob in op.input:
            if blob not in current:
                current[blob] = new_node(label=blob, type="blob")
            edges.append({"source": current[blob], "target": node})
        for blob in op.output:
            current[blob] = new_node(label=blob, type="blob")
            edges.append({"source": node, "target": current[blob]})
    with open(output_filepath, "w") as file:
        json.dump({"nodes": nodes, "edges": edges}, file)


def GetGraphPngSafe(func: Callable[..., Any], *args: Any, **kwargs: Any) -> bytes:
    """The PNG of the graph that `func` gives for the arguments; after an error, which is logged, one white pixel."""
    try:
        return func(*args, **kwargs).create_png()
    except Exception as error:
        logger.error("cannot draw the graph: %s", error)
        return _DummyPngImage


def _arguments(argv: Iterable[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="net_drawer", description="Draw a net, or the nets of a plan.")
    parser.add_argument("--input", required=True, help="file of a NetDef or a PlanDef, as text or bytes")
    parser.add_argument("--output_prefix", default="", help="put before the names of the files")
    parser.add_argument("--minimal", action="store_true", help="draw operators only")
    parser.add_argument("--minimal_dependency", action="store_true", help="with --minimal, leave out implied edges")
    parser.add_argument("--append_output", action="store_true", help="name the outputs of operators in their nodes")
    parser.add_argument("--rankdir", default="LR", help="direction of the graph, as in graphviz")
    return parser.parse_args(argv)


def main(argv: Iterable[str] | None = None) -> None:
    args = _arguments(argv)
    with open(args.input, "rb") as file:
        nets = utils.GetContentFromProtoString(
            file.read(), {caffe2_pb2.PlanDef: GetOperatorMapForPlan, caffe2_pb2.NetDef: lambda net: {net.name: net.op}}
        )
    style = {"rankdir": args.rankdir, "op_node_producer": GetOpNodeProducer(args.append_output, **OP_STYLE)}
    for name, operators in nets.items():
        if args.minimal:
            graph = GetPydotGraphMinimal(operators, name, minimal_dependency=args.minimal_dependency, **style)
        else:
            graph = GetPydotGraph(operators, name, **style)
        stem = args.output_prefix + name
        graph.write(f"{stem}.dot", format="raw")
        try:
            graph.write_pdf(f"{stem}.pdf")
        except OSError as error:
            print(f"{stem}.dot is written, {stem}.pdf is not: {error}")


if __name__ == "__main__":
    main()
