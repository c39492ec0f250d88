"""Mutexes, and values that change in one step that nothing can come between."""

from __future__ import annotations

import threading
from typing import Any

import torch
from torch import Tensor

from caffe2.opdef import EnforceNotMet, op, shape
from caffe2.runtime.serialize import stored_as


class Mutex:
    """A lock, as a blob; `with` holds it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()

    def __enter__(self) -> None:
        self.lock.acquire()

    def __exit__(self, *error: object) -> None:
        self.lock.release()


stored_as(Mutex, "std::unique_ptr<std::mutex>", lambda mutex, blob: setattr(blob, "content", b""), lambda _: Mutex())


class AtomicBool:
    """A truth value that is false until someone sets it."""

    def __init__(self) -> None:
        self.value = False


@op("CreateMutex: -> mutex_ptr")
def create_mutex() -> Mutex:
    """A mutex that nobody holds."""
    return Mutex()


def _fetch_add(mutex: Mutex, value: Tensor, increment: Tensor) -> tuple[Tensor, Tensor]:
    """mut_value = mut_value + increment, while the mutex is held.

    It adds in place: another operator may have read the blob before it waited for the mutex.

    mut_value, increment: one number each.
    fetched_value: mut_value before, of no dimensions.
    """
    if value.numel() < 1 or increment.numel() < 1:
        raise EnforceNotMet("mut_value and increment hold one number each; one of them is empty")
    with mutex:
        held = value.reshape(-1)[0]
        before = held.clone()
        return held.add_(increment.reshape(-1)[0]), before


for _name, _type in (("AtomicFetchAdd", "int32"), ("AtomicFetchAdd64", "int64")):
    op(
        f"{_name}: mutex_ptr mut_value increment -> mut_value fetched_value",
        inplace="mut_value -> mut_value",
        mutates=True,
        types=f"mut_value increment: {_type}",
    )(_fetch_add)
    shape(_name)(lambda m, a, b: (a.new_empty(()), a.new_empty(())))


@op("CreateAtomicBool: -> atomic_bool")
def create_atomic_bool() -> AtomicBool:
    """An atomic truth value: false."""
    return AtomicBool()


@op("ConditionalSetAtomicBool: atomic_bool condition ->", types="condition: bool")
def conditional_set_atomic_bool(atomic: AtomicBool, condition: Tensor) -> None:
    """Makes an atomic truth value true where the condition holds.

    condition: bool, one element.
    """
    if bool(condition.reshape(-1)[0]):
        atomic.value = True


@op("CheckAtomicBool: atomic_bool -> value")
def check_atomic_bool(atomic: AtomicBool) -> Tensor:
    """The value of an atomic truth value.

    value: (1), bool.
    """
    return torch.tensor([atomic.value])


@op("AsyncNetBarrier: +inputs -> +outputs", inplace="inputs -> outputs", like="inputs", view=True)
def async_net_barrier(*inputs: Any, cross_device: bool = False) -> tuple[Any, ...]:
    """Waits for all of its inputs, and hands them on.

    inputs: any blobs.
    outputs: the inputs.
    cross_device: accepted and ignored.
    """
    return inputs
