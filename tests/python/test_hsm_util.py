from caffe2.proto import hsm_pb2
from caffe2.python import hsm_util


def test_hierarchy_numbers_nodes_before_their_children():
    left = hsm_util.create_node_with_words([0, 1, 2], "left")
    root = hsm_util.create_node_with_nodes([left], "root")
    root.word_ids.append(3)
    tree = hsm_pb2.TreeProto(root_node=root)
    hierarchy = hsm_util.create_hierarchy(tree)
    assert hierarchy.size == 5
    assert [tree.root_node.offset, tree.root_node.children[0].offset] == [0, 2]
    decisions = {p.word_id: [(n.index, n.length, n.target) for n in p.path_nodes] for p in hierarchy.paths}
    assert decisions == {
        0: [(0, 2, 0), (2, 3, 0)],
        1: [(0, 2, 0), (2, 3, 1)],
        2: [(0, 2, 0), (2, 3, 2)],
        3: [(0, 2, 1)],
    }


def test_nodes_are_copied():
    leaf = hsm_util.create_node_with_words([7])
    parent = hsm_util.create_node_with_nodes([leaf])
    leaf.word_ids.append(8)
    assert (parent.name, list(parent.children[0].word_ids)) == ("node", [7])
