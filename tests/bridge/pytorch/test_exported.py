import numpy as np
import pytest
import torch

from caffe2.bridge.pytorch import SCHEMAS, register
from caffe2.opdef import EnforceNotMet, lookup
from caffe2.python import core, workspace

register()


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.split("(")[0])
def test_schemas_name_arguments_of_their_operators(schema):
    parsed = torch._C.parse_schema(schema)
    plain = {a.name for a in parsed.arguments if "Tensor" not in str(a.type)}
    if parsed.name != "LearningRate":  # its policies read their own
        assert plain - set(lookup(parsed.name).args) <= {"min_block_size"}  # a hint of speed
    assert hasattr(torch.ops._caffe2, parsed.name)


def test_results_are_the_operators_own():
    x = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
    workspace.FeedBlob("x", x)
    workspace.RunOperatorOnce(core.CreateOperator("LayerNorm", "x", ["y", "mean", "std"], epsilon=1e-3))
    y, mean, std = torch.ops._caffe2.LayerNorm(torch.from_numpy(x), None, None, epsilon=1e-3)
    for name, value in {"y": y, "mean": mean, "std": std}.items():
        np.testing.assert_array_equal(workspace.FetchBlob(name), value.numpy())


def test_lists_of_tensors():
    lengths, values = torch.tensor([1, 1], dtype=torch.int32), torch.tensor([5, 6])
    merged = torch.ops._caffe2.MergeIdLists([lengths, values, lengths, torch.tensor([6, 6])])
    assert [t.tolist() for t in merged] == [[2, 1], [5, 6, 6]] or [t.tolist() for t in merged] == [[2, 1], [6, 5, 6]]
    data, ranges = torch.arange(6.0), torch.tensor([[[0, 2], [2, 1]], [[3, 2], [5, 1]]], dtype=torch.int32)
    dense = torch.ops._caffe2.GatherRangesToDense(data, ranges, None, [2, 1], 2, 0.5, 0.5)
    assert [t.tolist() for t in dense] == [[[0, 1], [3, 4]], [[2], [5]]]


def test_outputs_are_given_or_aliased():
    into = torch.empty(0)
    assert torch.ops._caffe2.LengthsSum(torch.ones(3), torch.tensor([1, 2], dtype=torch.int32), [into]).tolist() == [
        1,
        2,
    ]
    assert into.tolist() == [1, 2]
    x = torch.tensor([3.0, 5.0])
    assert torch.ops._caffe2.AliasWithName(x, "y").data_ptr() == x.data_ptr()


def test_jit_finds_them():
    @torch.jit.script
    def gelu(x: torch.Tensor) -> torch.Tensor:
        return torch.ops._caffe2.Gelu(x)

    torch.testing.assert_close(gelu(torch.ones(2)), torch.nn.functional.gelu(torch.ones(2)))


def test_errors_are_the_operators_own():
    with pytest.raises(EnforceNotMet, match="LengthsSum"):
        torch.ops._caffe2.LengthsSum(torch.ones(3), torch.tensor([7], dtype=torch.int32))
