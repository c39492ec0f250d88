"""Proof of a translation: the translated net and the NumPy reference on the same input, compared blob by blob."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from caffe2.bridge.caffe import reference
from caffe2.bridge.caffe.layers import Layer
from caffe2.bridge.caffe.net import Net
from caffe2.bridge.caffe.noise import noise
from caffe2.bridge.caffe.translate.model import as_filled
from caffe2.bridge.caffe.wire import release
from caffe2.opdef import EnforceNotMet
from caffe2.proto import caffe2_pb2
from caffe2.runtime.workspace import Workspace

TOLERANCE = 1e-4
"""Largest difference that passes: this part of the blob's largest value, plus this part of the value itself."""


@dataclass(frozen=True)
class Row:
    """One blob: its name, the layer that writes it last, its shape, and how far the two values of it are apart."""

    blob: str
    layer: str
    type: str
    shape: tuple[int, ...]
    difference: float
    relative: float
    passed: bool


@dataclass
class Report:
    """What a verification found; `rows` in the order of the layers."""

    rows: list[Row] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return bool(self.rows) and all(row.passed for row in self.rows)

    @property
    def first_divergence(self) -> Row | None:
        return next((row for row in self.rows if not row.passed), None)

    def table(self) -> str:
        """The report as text, one line a blob."""
        width = max([4, *(len(r.blob) for r in self.rows)])
        kind = max([5, *(len(r.type) for r in self.rows)])
        lines = [f"{'blob':{width}}  {'layer':{kind}}  {'shape':18} {'max |diff|':>11} {'relative':>10}  verdict"]
        for r in self.rows:
            shape = "x".join(map(str, r.shape)) or "one number"
            verdict = "ok" if r.passed else "DIFFERS"
            lines.append(
                f"{r.blob:{width}}  {r.type:{kind}}  {shape:18} {r.difference:11.3g} {r.relative:10.3g}  {verdict}"
            )
        if bad := self.first_divergence:
            lines.append(f"first divergence: blob {bad.blob}, written by layer {bad.layer} ({bad.type})")
        return "\n".join(lines)


def verify(
    net: Net,
    init_net: caffe2_pb2.NetDef,
    predict_net: caffe2_pb2.NetDef,
    inputs: Mapping[str, np.ndarray] | None = None,
    seed: int = 0,
    params: Mapping[str, np.ndarray] | None = None,
) -> Report:
    """Run both on `inputs`, or on noise where none are given, and compare every blob that both have.

    params: parameters that the init net does not fill; each is in memory only while operators read it.
    """
    fed = dict(inputs) if inputs is not None else noise(net, seed)
    expected = reference.run(net, fed, seed=seed)
    workspace = Workspace()
    workspace.run_net_once(init_net)
    for name, value in fed.items():
        workspace.feed(name, value)
    _run(predict_net, params or {}, workspace)
    written = {o for op in predict_net.op for o in op.output}
    last = {top: layer for layer in net.layers for top in layer.tops}
    report = Report()
    for name, want in expected.items():
        if name in written and name in last:
            report.rows.append(compared(name, last[name], np.asarray(want), workspace.fetch(name)))
    if not report.rows:
        raise EnforceNotMet("the translated net and the reference have no blob in common: nothing was compared")
    return report


def _run(net: caffe2_pb2.NetDef, params: Mapping[str, np.ndarray], workspace: Workspace) -> None:
    last = {name: k for k, op in enumerate(net.op) for name in op.input if name in params}
    for k, op in enumerate(net.op):
        read = {name for name in op.input if name in params}
        for name in read:
            if name not in workspace:
                workspace.feed(name, as_filled(params[name]))
                release(params[name])
        workspace.run_operator_once(op)
        for name in read:
            if last[name] == k:
                workspace.remove(name)


def compared(name: str, layer: Layer, want: np.ndarray, got: np.ndarray) -> Row:
    """The row of a blob: how far a value is from the one that it should have."""
    about = (name, layer.name, layer.type, want.shape)
    if np.shape(got) != want.shape:
        return Row(*about, float("inf"), float("inf"), False)
    a, b = np.asarray(got, np.float64), want.astype(np.float64)
    finite = np.abs(b[np.isfinite(b)])
    top = float(finite.max()) if finite.size else 0.0
    with np.errstate(invalid="ignore"):
        apart = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, np.abs(a - b))
    apart = np.where(np.isnan(apart), np.inf, apart)
    worst = float(apart.max()) if apart.size else 0.0
    good = bool((apart <= TOLERANCE * (top + np.abs(np.nan_to_num(b))) + 1e-7).all())
    return Row(*about, worst, worst / top if top else worst, good)
