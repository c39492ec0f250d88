import pytest

from caffe2.python import core, schema


def chain():
    n = core.Net("chain")
    n.Sum(["a", "p"], "b")
    n.Relu("b", "c")
    n.Relu("c", "d")
    return n


def test_blobs_are_renamed_throughout():
    made = chain().Clone("made", {"a": "A", core.BlobReference("c"): core.BlobReference("C")})
    assert [(list(op.input), list(op.output)) for op in made.Proto().op] == [
        (["A", "p"], ["b"]),
        (["b"], ["C"]),
        (["C"], ["d"]),
    ]
    assert made.external_inputs == ["A", "p"]


def test_some_operators_with_their_inputs_and_outputs():
    made = chain().Clone("made", op_id_mask=[1, 2], update_external_list=True)
    assert made.external_inputs == ["b"] and made.external_outputs == ["d"]


def test_a_part_between_blobs():
    made, (d,) = chain().ClonePartial("part", {"b": "given"}, ["d"])
    assert [(list(op.input), list(op.output)) for op in made.Proto().op] == [
        (["given"], ["part/c"]),
        (["part/c"], ["part/d"]),
    ]
    assert d == "part/d" and d.Net() is made and made.external_inputs == ["given"]


def test_a_part_keeps_what_comes_from_elsewhere():
    made, _ = chain().ClonePartial("part", ["a"], ["b"])
    assert made.external_inputs == ["a", "p"] and made.external_outputs == ["part/b"]


def test_parts_that_cannot_be():
    with pytest.raises(AssertionError, match="q is not defined"):
        chain().ClonePartial("part", ["a"], ["q"])
    with pytest.raises(AssertionError, match="make one of the inputs"):
        chain().ClonePartial("part", ["a", "d"], ["b", "c"])


def test_nets_within_operators_are_renamed():
    inner, outer = core.Net("inner"), core.Net("outer")
    inner.Relu("x", "y")
    outer.If(["flag", "x"], ["y"], then_net=inner.Proto())
    outer.RecurrentNetwork(["x"], ["h"], step_net=inner.Proto(), timestep="t", alias_src=["h"])
    made = outer.Clone("made", {"x": "X", "h": "H"})
    branch, recurrent = made.Proto().op
    assert branch.arg[0].n.op[0].input[0] == "X" and branch.arg[0].n.name.startswith(f"{inner.Name()}_remapped")
    by_name = {arg.name: arg for arg in recurrent.arg}
    assert by_name["alias_src"].strings[0] == b"H" and by_name["timestep"].s == b"t"
    assert by_name["step_net"].n.op[0].input[0] == "X"


def test_other_arguments_are_renamed_by_functions():
    n = core.Net("functions")
    n.Relu("x", "y", about="x")

    def rename(op, prefix, remap):
        op.arg[0].s = (prefix + remap["x"]).encode()

    assert n.Clone("made", {"x": "X"}, remap_funcs={"Relu": rename}).Proto().op[0].arg[0].s == b"made/X"


def test_a_net_bound_to_a_record():
    n = core.Net("bound")
    record = n.set_input_record(schema.Struct(("x", schema.Scalar())))
    n.Relu(record.x(), "y")
    made, remap = core.clone_and_bind_net(
        n, "made", "pre/", inputs=schema.Struct(("x", core.BlobReference("mine")), ("more", core.BlobReference("m")))
    )
    assert list(made.Proto().op[0].input) == ["mine"] and remap["y"] == "pre/y"
    with pytest.raises(AssertionError, match="extra fields {'x'}"):
        core.clone_and_bind_net(n, "made", "pre/", inputs=schema.Struct(("other", core.BlobReference("o"))))


def test_versions_of_blobs():
    ssa, versions = core.get_ssa(chain())
    assert ssa[0] == ([("a", 0), ("p", 0)], [("b", 1)]) and versions["d"] == 1
    assert core.get_undefined_blobs(ssa) == {"a", "p"}
    assert core.get_output_producers(ssa)["c", 1] == 1
    assert core.get_op_ids_in_path(ssa, versions, ["b"], ["d"]) == [1, 2]
