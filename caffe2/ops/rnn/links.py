"""Links: how blobs of one time step stand for slices of sequences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from caffe2.opdef import NONE, UNKNOWN, EnforceNotMet, op


@dataclass(frozen=True)
class Link:
    """Within step t the blob `internal` is external[t + offset : t + offset + window]."""

    internal: str
    external: str
    offset: int
    window: int = 1

    def overlaps(self, other: Link) -> bool:
        """Whether both see a row of one sequence within the same step."""
        apart = self.offset + self.window <= other.offset or other.offset + other.window <= self.offset
        return self.external == other.external and not apart

    def slices(self, whole: Any, steps: int, rows: dict[str, Sequence[Tensor]]) -> Sequence[Tensor]:
        """What each step sees of the sequence, [window, ...], sharing its storage.

        rows: what other links of the same run have found: the rows of sequences, by name.
        Raises EnforceNotMet where the sequence is shorter than the last step needs.
        """
        past = steps - 1 + self.offset + self.window
        if not isinstance(whole, Tensor) or past > len(whole):
            held = list(whole.shape) if isinstance(whole, Tensor) else "nothing"
            raise EnforceNotMet(
                f"step {steps - 1} of a recurrent network looks beyond {self.external}, which holds {held}"
            )
        if self.window != 1:
            return [whole.narrow(0, t + self.offset, self.window) for t in range(steps)]
        if self.external not in rows:
            rows[self.external] = whole.unsqueeze(1).unbind()
        return rows[self.external][self.offset : past]


def make_links(
    internal: Sequence[str], external: Sequence[str], offset: Sequence[int], window: Sequence[int] = ()
) -> list[Link]:
    """Links from the arguments of an operator. Raises EnforceNotMet where their lengths differ or one sees nothing."""
    window = window or [1] * len(offset)
    if not len(internal) == len(external) == len(offset) == len(window):
        raise EnforceNotMet(f"links do not pair up: {internal}, {external}, {offset}, {window}")
    links = [Link(*link) for link in zip(internal, external, offset, window)]
    for link in links:
        if link.offset < 0 or link.window < 1:
            raise EnforceNotMet(f"a link begins at the step or after it and sees a row at least; {link} does not")
    return links


@op(
    "rnn_internal_apply_link: timestep external -> internal external",
    inplace="external => external",
    gradient=NONE,
    shape=UNKNOWN,
    shares=True,
    host="timestep",
)
def apply_link(timestep: Tensor, external: Tensor, *, offset: int = -1, window: int = -1) -> tuple[Tensor, Tensor]:
    """internal = external[t + offset : t + offset + window], sharing its storage, t being the one element of timestep.

    external: (T, ...).
    internal: (window, ...).
    offset: how far ahead.
    window: how many steps.
    """
    if offset < 0 or window < 0:
        raise EnforceNotMet(f"rnn_internal_apply_link: offset {offset} and window {window} must be given")
    return external.narrow(0, int(timestep) + offset, window), external


@op(
    "rnn_internal_accumulate_gradient_input: timestep external gradient -> +gradients",
    inplace="gradient => gradients",
    gradient=NONE,
    mutates=True,
    host="timestep",
    like="gradient",
)
def accumulate(timestep: Tensor, external: Tensor, gradient: Tensor, *, offset: int = -1) -> tuple[Tensor]:
    """gradient[t + offset] += external[t], t being the one element of timestep.

    external: (T, ...).
    gradient: (T', ...), in place.
    gradients: gradient, and as many copies of it as there are further outputs.
    offset: how far ahead.
    """
    t = int(timestep)
    if offset < 0 or t + offset >= len(gradient) or t >= len(external):
        raise EnforceNotMet(f"rnn_internal_accumulate_gradient_input: no step {t} with offset {offset}")
    gradient[t + offset] += external[t]
    return (gradient,)
