"""What is folded into weights, and what must not be."""

from __future__ import annotations

from pathlib import Path

import pytest

from caffe2.bridge.caffe.translate import translate
from caffe2.bridge.caffe.verify import verify
from tests.bridge.caffe.files import inputs, net
from tests.bridge.caffe.test_translate import weights

X = inputs(x=(2, 4, 6, 6))
SHARED = 'param { name: "w" } param { name: "b" }'


def conv(name: str, bottom: str, extra: str = "", kind: str = "Convolution", params: str = "") -> str:
    inner = f"convolution_param {{ num_output: 4 kernel_size: 3 {extra} }}"
    return f'layer {{ name: "{name}" type: "{kind}" bottom: "{bottom}" top: "{name}" {params} {inner} }}'


def fc(name: str, bottom: str, extra: str = "") -> str:
    inner = f"inner_product_param {{ num_output: 5 {extra} }}"
    return f'layer {{ name: "{name}" type: "InnerProduct" bottom: "{bottom}" top: "{name}" {inner} }}'


def norm(bottom: str, top: str) -> str:
    return f'layer {{ name: "n_{top}" type: "BatchNorm" bottom: "{bottom}" top: "{top}" }}'


def scale(bottom: str, top: str, bias: str = "true") -> str:
    inner = f"scale_param {{ bias_term: {bias} }}"
    return f'layer {{ name: "s_{top}" type: "Scale" bottom: "{bottom}" top: "{top}" {inner} }}'


CASES = {
    "without bias": (conv("c", "x", "bias_term: false") + norm("c", "c") + scale("c", "c"), "Conv"),
    "scale without bias": (conv("c", "x") + norm("c", "c") + scale("c", "c", "false"), "Conv"),
    "two scales": (conv("c", "x") + scale("c", "y") + scale("y", "z"), "Conv"),
    "groups": (conv("c", "x", "group: 2") + norm("c", "y"), "Conv"),
    "deconvolution": (conv("d", "x", "group: 2", "Deconvolution") + norm("d", "d") + scale("d", "d"), "ConvTranspose"),
    "fully connected": (fc("f", "x") + norm("f", "f") + scale("f", "f"), "FC"),
    "transposed": (fc("f", "x", "transpose: true") + norm("f", "y"), "FCTransposed"),
    "zeros shared": (
        fc("f", "x", "bias_term: false") + norm("f", "y") + fc("g", "y", "bias_term: false") + norm("g", "z"),
        "FC FC",
    ),
    "normalized before": (norm("x", "m") + conv("c", "m"), "SpatialBN Conv"),
    "used elsewhere": (
        conv("c", "x") + norm("c", "m") + 'layer { name: "e" type: "Eltwise" bottom: "c" bottom: "m" top: "y" }',
        "Conv SpatialBN Sum",
    ),
    "shared by two": (
        conv("a", "x", params=SHARED) + norm("a", "y") + conv("b", "x", params=SHARED) + norm("b", "z"),
        "Conv SpatialBN Conv SpatialBN",
    ),
    "behind a reshape": (fc("f", "x", "axis: 3") + norm("f", "y"), "Reshape FC Reshape SpatialBN"),
    "dropout between": (
        conv("c", "x") + 'layer { name: "d" type: "Dropout" bottom: "c" top: "m" }' + norm("m", "y"),
        "Conv",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_folded(name: str, tmp_path: Path) -> None:
    layers, kinds = CASES[name]
    whole = net(tmp_path, X + layers, weights(net(tmp_path, X + layers)))
    init_net, predict_net = translate(whole, fold_batch_norm=True, remove_dropout=True)
    assert [op.type for op in predict_net.op] == kinds.split()
    report = verify(whole, init_net, predict_net)
    assert report.passed and set(whole.outputs) <= {row.blob for row in report.rows}, report.table()
