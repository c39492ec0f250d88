import numpy as np
import pytest

from caffe2.proto import caffe2_pb2
from caffe2.python import core, memonger, workspace
from caffe2.python.memonger import AssignmentAlgorithm, LiveRange


def tower(depth=5, name="tower"):
    """x -> FC -> Sigmoid -> ... -> loss, with the same parameters in every layer."""
    net = core.Net(name)
    blob = net.AddExternalInput("x")
    w, b = net.AddExternalInput("w", "b")
    for k in range(depth):
        blob = net.Sigmoid(net.FC([blob, w, b], f"fc{k}"), f"act{k}")
    net.AveragedLoss(blob, "loss")
    return net


def feed():
    rng = np.random.default_rng(0)
    for name, shape in (("x", (4, 3)), ("w", (3, 3)), ("b", (3,))):
        workspace.FeedBlob(name, rng.standard_normal(shape, np.float32))


def outputs(proto, names):
    feed()
    workspace.RunNetOnce(proto)
    return [workspace.FetchBlob(name) for name in names]


def blobs(proto):
    return {name for op in proto.op for name in (*op.input, *op.output)}


@pytest.mark.parametrize("share_activations", [False, True])
def test_gradients_share(share_activations):
    net = tower()
    gradients = net.AddGradientOperators(["loss"])
    made = memonger.share_grad_blobs(net, ["loss"], {gradients["w"], gradients["b"]}, "", None, share_activations)
    assert len(blobs(made)) < len(blobs(net.Proto()))
    for a, b in zip(outputs(net, ["loss", "w_grad", "b_grad"]), outputs(made, ["loss", "w_grad", "b_grad"])):
        assert np.array_equal(a, b)


def test_what_shall_not_be_shared_is_not():
    net = tower()
    net.AddGradientOperators(["loss"])
    kept = {f"act{k}_grad" for k in range(5)} | {f"fc{k}_grad" for k in range(5)}
    made = memonger.share_grad_blobs(net, ["loss"], (), "", dont_share_blobs=kept)
    assert kept <= blobs(made)


@pytest.mark.parametrize("optimize", ["fast", "dag", "greedy", "best"])
def test_nets_without_gradients(optimize):
    net = tower()
    net.AddExternalOutput(core.BlobReference("loss"))
    if optimize == "fast":
        made = memonger.optimize_inference_fast(net.Proto(), ["x", "w", "b", "loss"])
    elif optimize == "dag":
        made = memonger.optimize_inference_for_dag(net, ["x"])
    else:
        algorithm = AssignmentAlgorithm.GREEDY if optimize == "greedy" else AssignmentAlgorithm.DYNAMIC_PROGRAMMING
        order = memonger.topological_sort_traversal_longest_path
        made = memonger.optimize_interference(net.Proto(), ["x", "w", "b", "loss"], order, algo=algorithm).net
    assert len(blobs(made)) <= 6 and np.array_equal(outputs(net, ["loss"])[0], outputs(made, ["loss"])[0])


def test_a_dag_keeps_its_branches_apart():
    net = core.Net("branches")
    net.Proto().type = "dag"
    for k in range(4):
        blob = net.Relu("x", f"a{k}")
        blob = net.Relu(blob, f"b{k}")
        net.Relu(blob, f"c{k}")
    net.Sum([f"c{k}" for k in range(4)], "y")
    made = memonger.optimize_inference_for_dag(net, ["x"])
    written = [op.output[0] for op in made.op if op.output[0] != "y"]
    by_branch = [set(written[3 * k : 3 * k + 3]) for k in range(4)]
    assert all(not a & b for i, a in enumerate(by_branch) for b in by_branch[:i])
    assert all(len(names) == 2 for names in by_branch)


def test_only_nets_without_gradients():
    net = tower()
    net.AddGradientOperators(["loss"])
    with pytest.raises(AssertionError, match="inference-only"):
        memonger.optimize_inference_for_dag(net, ["x"])
    unknown = core.Net("unknown")
    unknown.Proto().op.append(core.CreateOperator("Relu", "q", "y"))
    with pytest.raises(AssertionError, match="q not in external input"):
        memonger.optimize_inference_for_dag(unknown, ["x"])


def test_a_net_is_left_alone_where_its_order_is_not_kept():
    net = tower()
    net.Proto().type = "dag"
    assert memonger.optimize_inference_fast(net.Proto(), []) == net.Proto()
    net.Proto().type = ""
    once = memonger.optimize_inference_fast(net.Proto(), ["loss"])
    assert memonger.optimize_inference_fast(once, ["loss"]) == once


def test_freed_when_used():
    made = memonger.release_blobs_when_used(tower(2).Proto(), {"act1"}, lambda name: name != "fc1")
    assert [list(op.input) for op in made.op if op.type == "Free"] == [["fc0"], ["act0"]]


def test_memory_is_estimated():
    net = tower(2)
    shapes, types = workspace.InferShapesAndTypes([net], {"x": [4, 3], "w": [3, 3], "b": [3]})
    total, most, by_type = memonger.estimate_memory_usage([net.Proto()], shapes, types, caffe2_pb2.DeviceOption())
    assert (total, by_type["FC"], by_type["AveragedLoss"]) == (4 * 48 + 4, 96, 4) and most == total
    freeing = memonger.release_blobs_when_used(net.Proto(), set())
    assert memonger.estimate_memory_usage([freeing], shapes, types, caffe2_pb2.DeviceOption())[1] == 96


def test_what_sharing_saves():
    net = tower(3)
    outputs(net, ["loss"])
    sizes = memonger.collect_blob_sizes(net.Proto())
    made = memonger.optimize_interference(net.Proto(), ["x", "w", "b", "loss"], blob_sizes=sizes)
    saved = memonger.compute_statistics(made.assignments)
    assert (saved.baseline_nbytes, saved.optimized_nbytes) == (sum(sizes.values()), sum(sizes.values()) - 4 * 48)
    memonger.verify_assignments(a for a in made.assignments if len(a) > 1)
    with pytest.raises(AssertionError, match="size of blob"):
        memonger.compute_ranges(net.Proto().op, {"x": 1})


RANGES = [("a", LiveRange(1, 3, 10)), ("b", LiveRange(3, 4, 1)), ("c", LiveRange(5, 6, 1)), ("d", LiveRange(5, 7, 10))]


def test_assignments():
    greedy = memonger.compute_assignments_greedy(RANGES)
    best = memonger.compute_assignments_dp(RANGES, [])
    assert [[name for name, _ in shared] for shared in greedy] == [["a", "d"], ["b", "c"]]
    assert memonger.get_memory_usage(greedy) == memonger.get_memory_usage(best) == 11
    assert memonger.compute_blob_assignments(greedy) == {"a": "d", "d": "d", "b": "c", "c": "c"}
    with pytest.raises(ValueError, match="Invalid algo name"):
        memonger.compute_assignments(dict(RANGES), (), "none")
    with pytest.raises(AssertionError, match="needed at once"):
        memonger.verify_assignments([[RANGES[0], RANGES[1]]])


def test_orders_keep_to_what_blobs_ask():
    net = core.Net("order")
    net.Copy("p", "q")
    net.Add(["x", "q"], "y")
    net.Copy("r", "r")
    net.Add(["y", "r"], "z")
    net.Copy("x", "q")
    graph = memonger.compute_interference_graph(net.Proto().op)
    assert graph.edges() == [(0, 1), (0, 4), (1, 3), (1, 4), (2, 3)] and graph.deps(1, 4) == {"q"}
    for order in (memonger.topological_sort_traversal, memonger.topological_sort_traversal_longest_path):
        made = list(order(graph))
        assert sorted(made) == [0, 1, 2, 3, 4] and all(made.index(a) < made.index(b) for a, b in graph.edges())


def test_graphs_are_compared():
    renamed = tower().Clone("renamed", {"act1": "other"})
    assert memonger.verify_graph_equality(tower().Proto(), renamed.Proto())
    rewired = tower().Clone("rewired")
    rewired.Proto().op[4].input[0] = "act0"
    assert not memonger.verify_graph_equality(tower().Proto(), rewired.Proto())
    inplace = tower().Clone("inplace", {"act1": "fc1"})
    assert not memonger.verify_inplace_blobs(tower().Proto(), inplace.Proto())
