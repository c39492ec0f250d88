"""Every operator has the arity and the gradient operators of the original, as recorded from it."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest

from caffe2.opdef import gradient_ops, lookup, registry
from caffe2.proto import caffe2_pb2

FACTS = json.loads((pathlib.Path(__file__).parents[1] / "conformance" / "operators.json").read_text())
ARITY = [f for f in FACTS if f["name"] in registry and "inputs" in f]
GRADIENTS = [(f["name"], g) for f in ARITY for g in f.get("gradients", [])]


@pytest.mark.parametrize("fact", ARITY, ids=[f["name"] for f in ARITY])
def test_arity(fact: dict[str, Any]) -> None:
    header = lookup(fact["name"]).header
    for side, (least, most) in ((header.inputs, fact["inputs"]), (header.outputs, fact["outputs"])):
        if (least, most) == (0, None):  # recorded where the original's schema states no counts
            continue
        assert side.accepts(least) or least == 0 and side.least <= 1, f"{header} refuses {least} blobs"
        if most is not None and most < 1000:
            assert side.most <= most, f"{header} takes more than {most} blobs"
        else:
            assert side.most == float("inf"), f"{header} takes no more than {side.most} blobs"


@pytest.mark.parametrize("name, fact", GRADIENTS, ids=[f"{n}-{k}" for k, (n, _) in enumerate(GRADIENTS)])
def test_gradient_operators(name: str, fact: dict[str, Any]) -> None:
    op = caffe2_pb2.OperatorDef(type=name)
    op.input.extend(f"i{k}" for k in range(fact["n_inputs"]))
    op.output.extend(f"o{k}" for k in range(fact["n_outputs"]))
    ops, g_input = gradient_ops(op, [f"o{k}_grad" for k in range(fact["n_outputs"])])
    made = [{"type": o.type, "inputs": list(o.input), "outputs": list(o.output)} for o in ops]
    assert made == [{k: o[k] for k in ("type", "inputs", "outputs")} for o in fact["ops"]]
    assert [sorted(a.name for a in o.arg) for o in ops] == [sorted(o.get("args", [])) for o in fact["ops"]]
    assert [list(g) if isinstance(g, tuple) else g for g in g_input] == fact["input_gradients"]
