"""A verification as a page: its verdict, the net drawn, and what was compared, blob by blob."""

from __future__ import annotations

from html import escape

from caffe2.bridge.caffe.net import Net
from caffe2.bridge.caffe.verify import Report

STEP, WIDTH, LEFT = 34, 360, 20
STYLE = """body{font:15px sans-serif;margin:2em;color:#222} table{border-collapse:collapse;margin:1em 0}
td,th{padding:3px 12px;border-bottom:1px solid #ddd;text-align:left} td.n{text-align:right;font-family:monospace}
.bad{background:#fdd} .good{color:#060} rect{fill:#eef;stroke:#88a} rect.bad{fill:#fcc;stroke:#a44}
path{fill:none;stroke:#667} text{font-size:12px}"""


def page(net: Net, report: Report) -> str:
    """The HTML text of a report on a translated net; it needs no other file."""
    verdict = "every blob is Caffe's" if report.passed else "not verified: see below"
    notes = "".join(f"<li>{escape(note)}</li>" for note in net.notes)
    return f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(net.name or "net")}</title>
<style>{STYLE}</style><h1>{escape(net.name or "Caffe net")}</h1>
<p class="{"good" if report.passed else "bad"}">{verdict}: {len(report.rows)} blobs compared.</p>
<ul>{notes}</ul>{_table(report)}<h2>The net</h2>{drawing(net, report)}</html>
"""


def _table(report: Report) -> str:
    head = "".join(f"<th>{name}</th>" for name in ("blob", "layer", "type", "shape", "max |diff|", "relative", ""))
    rows = []
    for r in report.rows:
        texts = "".join(f"<td>{escape(t)}</td>" for t in (r.blob, r.layer, r.type, " x ".join(map(str, r.shape))))
        numbers = "".join(f'<td class="n">{value:.3g}</td>' for value in (r.difference, r.relative))
        state = "" if r.passed else ' class="bad"'
        rows.append(f"<tr{state}>{texts}{numbers}<td>{'ok' if r.passed else 'DIFFERS'}</td></tr>")
    return f"<table><tr>{head}</tr>{''.join(rows)}</table>"


def drawing(net: Net, report: Report) -> str:
    """An SVG of the layers in their order, one below the other, and of the blobs between them."""
    wrong = {row.layer for row in report.rows if not row.passed}
    boxes, lines, written = [], [], {}
    for k, layer in enumerate(net.layers):
        for bottom in layer.bottoms:
            if bottom in written:
                lines.append(_line(written[bottom], k))
        written |= dict.fromkeys(layer.tops, k)
        state = ' class="bad"' if layer.name in wrong else ""
        label = escape(f"{layer.name} ({layer.type})")
        y = k * STEP + 4
        boxes.append(f'<rect{state} x="{LEFT}" y="{y}" width="{WIDTH}" height="22" rx="4"/>')
        boxes.append(f'<text x="{LEFT + 8}" y="{y + 15}">{label}</text>')
    size = f'width="{LEFT + WIDTH + 240}" height="{len(net.layers) * STEP + 8}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{"".join(lines + boxes)}</svg>'


def _line(start: int, end: int) -> str:
    """A blob's way between two layers: straight to the next one, around the right of those that it passes."""
    y, to = start * STEP + 26, end * STEP + 4
    if end == start + 1:
        return f'<path d="M{LEFT + WIDTH // 2} {y} V{to}"/>'
    side, out = LEFT + WIDTH, LEFT + WIDTH + min(220, 16 + 12 * (end - start))
    return f'<path d="M{side} {y - 11} C{out} {y} {out} {to} {side} {to + 11}"/>'
