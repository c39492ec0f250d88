"""The catalogue of operators is that of the operators there are."""

from __future__ import annotations

import re

import pytest

from caffe2.__main__ import main
from caffe2.opdef import lookup, registry
from caffe2.opdef.catalogue import families
from caffe2.opdef.document import argument, document
from caffe2.opdef.glossary import blobs, meanings
from docs.catalogue import FOLDER, page


def without_examples(text: str) -> str:
    return re.sub(r"\n\nExample:\n(?:\n    [^\n]*)+", "", text)


@pytest.mark.parametrize("family", families(), ids=lambda family: family.name)
def test_pages_are_up_to_date(family):
    path = FOLDER / f"{family.name}.md"
    written = path.read_text() if path.exists() else ""
    assert without_examples(written) == page(family, examples=False), "run: make docs"


def test_every_operator_has_a_family():
    assert sorted(name for family in families() for name in family.operators) == sorted(registry)
    assert all(family.title.endswith(".") for family in families())


@pytest.mark.parametrize("name", sorted(registry))
def test_every_blob_and_argument_is_told(name):
    d = lookup(name)
    shown, told = document(d, width=1000), meanings(d)
    for a in d.args.values():
        assert a.injected or argument(a) in shown and told.get(a.name), f"say what {a.name} means"
    for blob in blobs(d):
        assert told.get(blob), f"say what {blob} holds, and of what shape"
    for engine, body in d.kernels.items():
        for a in d.declared(body).values():
            assert a.injected or meanings(d, body).get(a.name), f"say what {a.name} means with {engine}"


def test_commands(capsys, tmp_path):
    assert main(["docs", "Relu"]) == 0 and "Relu: X -> Y" in capsys.readouterr().out
    assert main(["docs", "Relo"]) == 1 and "did you mean Relu" in capsys.readouterr().err
    assert main(["docs", "LSTM"]) == 1 and "did you mean one of LSTMUnit" in capsys.readouterr().err
    assert main(["docs", "RELU"]) == 0 and "Relu: X -> Y" in capsys.readouterr().out
    assert main(["docs", "pool"]) == 0 and "MaxPool: The maximum of every window." in capsys.readouterr().out
    assert main(["docs"]) == 0 and "activation -- " in capsys.readouterr().out
    net = tmp_path / "net.pbtxt"
    net.write_text('name: "n" op { type: "Relu" input: "x" output: "y" }')
    assert main(["show", str(net)]) == 0 and "Relu" in capsys.readouterr().out
