"""Operators that look for values gone wrong, and operators that fail on purpose, which try how failures are handled.

message: what the error says.
"""

from __future__ import annotations

import threading
import time

import torch
from torch import Tensor

from caffe2.opdef import EnforceNotMet, Site, op
from caffe2.ops.demand import concrete


@op(
    "NanCheck: tensor *more -> output",
    types="tensor: floating",
    inplace="tensor -> output",
    gradient="NanCheck: doutput -> dtensor",
    like="tensor",
    view=True,
)
def nan_check(x: Tensor, *more: Tensor, site: Site) -> Tensor:
    """The tensor itself. Raises EnforceNotMet, naming the places, where an element is NaN or infinite.

    tensor: of any shape.
    more: tensors in which to look as well, for the message, once one is found.
    output: of the shape of tensor.
    """
    if concrete(x) and not bool(torch.isfinite(x).all()):
        found = [f"{name} {places(value)}" for name, value in zip(site.inputs, (x, *more))]
        raise EnforceNotMet(f"NaN or infinite elements, by flat index: {'; '.join(found)}")
    return x


def places(x: Tensor) -> list[int]:
    """The first few flat indices of NaN and infinite elements."""
    return (~torch.isfinite(x)).reshape(-1).nonzero().reshape(-1)[:8].tolist()


@op("ThrowException: ->")
def throw_exception(*, message: str = "Exception from ThrowExceptionOp") -> None:
    """Always fails with `message`."""
    raise EnforceNotMet(message)


@op("LogFatal: ->", differs="it raises an error; the original ends the process")
def log_fatal(*, message: str = "Logging from LogFatalOp") -> None:
    """Always fails with `message`."""
    raise EnforceNotMet(message)


@op("ThrowChildThreadException: ->", differs="it raises the error; the original ends the process")
def throw_child_thread_exception(*, message: str = "Exception from ThrowChildThreadExceptionOp") -> None:
    """Always fails with `message`, from a thread of its own."""
    failures: list[EnforceNotMet] = []
    thread = threading.Thread(target=lambda: failures.append(EnforceNotMet(message)))
    thread.start()
    thread.join()
    raise failures[0]


@op("WallClockTime: -> time", random=True)
def wall_clock_time() -> Tensor:
    """The time in nanoseconds.

    time: int64, of no dimensions.
    """
    return torch.tensor(time.time_ns(), dtype=torch.int64)
