import json

import pytest

from caffe2.proto import caffe2_pb2
from caffe2.python import net_drawer

Op = caffe2_pb2.OperatorDef
NET = caffe2_pb2.NetDef(
    name="n",
    op=[
        Op(type="Relu", input=["x"], output=["y"]),
        Op(type="Relu", name="again", input=["y"], output=["y"]),
        Op(type="Add", input=["x", "y"], output=["z"]),
    ],
)


@pytest.fixture
def pydot():
    return pytest.importorskip("pydot", reason="pydot makes the graphs")


def edges(graph):
    return [(e.get_source().strip('"'), e.get_destination().strip('"')) for e in graph.get_edges()]


@pytest.mark.usefixtures("pydot")
def test_operators_and_versions_of_blobs():
    graph = net_drawer.GetPydotGraph(NET)
    assert graph.get_name() == "n"
    assert edges(graph) == [
        ("x0", "Relu (op#0)"),
        ("Relu (op#0)", "y0"),
        ("y0", "again/Relu (op#1)"),
        ("again/Relu (op#1)", "y1"),
        ("x0", "Add (op#2)"),
        ("y1", "Add (op#2)"),
        ("Add (op#2)", "z0"),
    ]


@pytest.mark.usefixtures("pydot")
def test_operators_alone():
    net = caffe2_pb2.NetDef(op=[*NET.op, Op(type="Sum", input=["z", "w", "y"], output=["s"])])
    names = ["Relu (op#0)", "again/Relu (op#1)", "Add (op#2)", "Sum (op#3)"]
    chain = list(zip(names, names[1:]))
    assert edges(net_drawer.GetPydotGraphMinimal(net, "m")) == [*chain, (names[1], names[3])]
    assert edges(net_drawer.GetPydotGraphMinimal(net.op, minimal_dependency=True)) == chain


@pytest.mark.usefixtures("pydot")
def test_nodes_name_their_outputs():
    assert net_drawer.GetOpNodeProducer(True)(NET.op[0], 4).get_name().strip('"') == "Relu (op#4)\ny"


@pytest.mark.usefixtures("pydot")
def test_steps_of_a_plan():
    Step = caffe2_pb2.ExecutionStep
    several = Step(name="all", concurrent_substeps=True, substep=[Step(name=str(i), network=["n"]) for i in range(5)])
    plan = caffe2_pb2.PlanDef(name="p", execution_step=[Step(name="init", network=["a", "b"], only_once=True), several])
    text = net_drawer.GetPlanGraph(plan).to_string()
    assert "2 more steps" in text
    assert "Concurrent" in text
    assert "Once" in text
    with pytest.raises(ValueError, match="empty"):
        net_drawer.GetPlanGraph(caffe2_pb2.PlanDef(execution_step=[Step(name="empty")]))


def test_graph_in_json(tmp_path):
    net_drawer.GetGraphInJson(NET, tmp_path / "graph.json")
    graph = json.loads((tmp_path / "graph.json").read_text())
    assert [node["label"] for node in graph["nodes"]] == ["Relu", "x", "y", "again/Relu", "y", "Add", "z"]
    assert [(e["source"], e["target"]) for e in graph["edges"]] == [
        (1, 0),
        (0, 2),
        (2, 3),
        (3, 4),
        (1, 5),
        (4, 5),
        (5, 6),
    ]


def test_nets_of_a_plan():
    plan = caffe2_pb2.PlanDef(name="p", network=[NET, caffe2_pb2.NetDef()])
    assert {name: len(ops) for name, ops in net_drawer.GetOperatorMapForPlan(plan).items()} == {
        "p_n": 3,
        "p_network_1": 0,
    }


def test_a_graph_that_cannot_be_drawn_is_a_pixel(caplog):
    def fail():
        raise RuntimeError("no such program")

    assert net_drawer.GetGraphPngSafe(fail).startswith(b"\x89PNG")
    assert "no such program" in caplog.text


def test_without_pydot(monkeypatch):
    monkeypatch.setattr(net_drawer, "pydot", None)
    with pytest.raises(ImportError, match="pip install"):
        net_drawer.GetPydotGraph(NET)


@pytest.mark.usefixtures("pydot")
@pytest.mark.parametrize("flags", [[], ["--minimal", "--minimal_dependency"], ["--append_output"]])
def test_command(tmp_path, flags):
    (tmp_path / "net.pb").write_bytes(NET.SerializeToString())
    net_drawer.main(["--input", str(tmp_path / "net.pb"), "--output_prefix", f"{tmp_path}/", *flags])
    assert "again/Relu" in (tmp_path / "n.dot").read_text()
