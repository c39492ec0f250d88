"""Operators that look at values: print, summarize, insist.

X, input, data, tensor: of any shape.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from caffe2.opdef import NONE, EnforceNotMet, Op, OperatorFailed, Site, op

log = logging.getLogger(__name__)


class Reporter(Op):
    """Writes lines to the log, or to a file of the blob's name in the workspace's root folder."""

    to_file: bool = False
    _suffix = ".log"

    def bind(self, site: Site) -> None:
        self.name, self.path = site.inputs[0], None
        if self.to_file and site.workspace is not None:
            self.path = Path(site.workspace.root) / (self.name.replace("/", "#") + self._suffix)
            self.path.write_text("")

    def tell(self, line: str) -> None:
        if self.path is None:
            log.info(line)
        else:
            with self.path.open("a") as file:
                file.write(line + "\n")


@op("Print: tensor ->", gradient=NONE)
class Print(Reporter):
    """Tells element type, shape and first elements of a tensor, in the log at level INFO or in a file.

    to_file: in a file NAME.log in the root folder, NAME being that of the blob.
    limit: how many elements; 0 for 1000.
    every_n: only every n-th time.
    """

    limit: int = 0
    every_n: int = 1

    def bind(self, site: Site) -> None:
        super().bind(site)
        if self.every_n < 1:
            raise EnforceNotMet(f"Print: every_n is {self.every_n}, and has to be positive")
        self.times = 0

    def __call__(self, value: Any) -> None:
        self.times += 1
        if (self.times - 1) % self.every_n:
            return
        if not isinstance(value, (Tensor, np.ndarray)):
            self.tell(f"Blob {self.name} of type {type(value).__name__}")
            return
        shape = ",".join(map(str, value.shape))
        some = value.reshape(-1)[: self.limit or 1000].tolist()
        shown = ",".join(v.decode(errors="replace") if isinstance(v, bytes) else f"{v}" for v in some)
        kind = str(value.dtype).removeprefix("torch.") if isinstance(value, Tensor) else "string"
        self.tell(f"Tensor {self.name} of type {kind}. Dims: ({shape}): {shown}")


@op("Summarize: data -> output?", types="data: float", shape=lambda data, **_: data.new_empty(4), gradient=NONE)
class Summarize(Reporter):
    """Least and largest element, mean, and standard deviation (that of a sample).

    output: (4), float32.
    to_file: they are also appended to a file NAME.summary in the root folder, NAME being that of the blob.
    """

    _suffix = ".summary"

    def __call__(self, x: Tensor) -> Tensor:
        if not x.numel():
            raise EnforceNotMet("Summarize: there is nothing to summarize in an empty tensor")
        wide = x.double()
        deviation = wide.std() if x.numel() > 1 else wide.new_zeros(())
        found = torch.stack([wide.min(), wide.max(), wide.mean(), deviation]).float()
        if self.path is not None:
            self.tell(" ".join(f"{v:g}" for v in found.tolist()))
        return found


@op("EnforceFinite: input ->", types="input: floating", gradient=NONE)
class EnforceFinite(Op):
    """Fails where an element is infinite or not a number."""

    def bind(self, site: Site) -> None:
        self.name = site.inputs[0]

    def __call__(self, x: Tensor) -> None:
        if not bool(torch.isfinite(x).all()):
            at = int((~torch.isfinite(x)).reshape(-1).nonzero()[0])
            raise EnforceNotMet(f"{self.name} is {x.reshape(-1)[at].item()} at index {at}, and has to be finite")


@op(
    "EnsureClipped: param indices? grad? -> output_param",
    inplace="param -> output_param",
    like="param",
    types="param: float",
)
def ensure_clipped(
    param: Tensor,
    indices: Tensor | None = None,
    grad: Tensor | None = None,
    *,
    min: float = -3.4e38,
    max: float = 3.4e38,
) -> Tensor:
    """param with every element within min ... max.

    param: (M, ...).
    indices: (N): the rows that are looked at; all without it.
    grad: accepted and ignored.
    output_param: param, in place.
    min, max: the ends of the interval.
    """
    if indices is None:
        return param.clamp(min, max)
    rows, out = indices.reshape(-1).long(), param.clone()
    if rows.numel() and not 0 <= int(rows.min()) <= int(rows.max()) < len(param):
        raise EnforceNotMet(f"indices name rows of param, 0 ... {len(param) - 1}; got {indices.tolist()[:8]}")
    out[rows] = param[rows].clamp(min, max)
    return out


@op("Assert: X ->", types="X: int32 int64 bool", gradient=NONE)
def check(x: Tensor, *, error_msg: str = "") -> None:
    """Fails where an element is zero, or false.

    error_msg: what the error says.
    """
    if not bool(x.all()):
        at = int((x.reshape(-1) == 0).nonzero()[0])
        raise EnforceNotMet(f"Assert failed for element {at} of X" + (f": {error_msg}" if error_msg else ""))


@op("Fail: ->", gradient=NONE)
def fail() -> None:
    """Fails, whatever happens."""
    raise OperatorFailed("Fail: it fails, as it is meant to")


@op("Crash: ->", gradient=NONE, differs="it raises an error; the original ends the process")
def crash() -> None:
    """Fails in a way that nothing expects, to try how a program takes it."""
    raise EnforceNotMet("Crash: it fails, as it is meant to")
