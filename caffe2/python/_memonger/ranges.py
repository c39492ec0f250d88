"""Live ranges: from where to where, in an order of operators, blobs are needed, and which may share a name."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import Enum
from typing import NamedTuple

from caffe2.proto import caffe2_pb2
from caffe2.python._misuse import demand

log = logging.getLogger("memonger")


class LiveRange(NamedTuple):
    """The first operator to write a blob, the last to read it, and its size; None for what is not known."""

    defined: int | None = None
    used: int | None = None
    size: int | None = None


Named = tuple[str, LiveRange]
Assignment = list[Named]
"""Blobs that share a name, in the order they are needed."""


class AssignmentAlgorithm(Enum):
    """How blobs are assigned: the first fit of nearest size, or the best of all, at the cost of time."""

    GREEDY = 0
    DYNAMIC_PROGRAMMING = 1


def compute_ranges(
    linearized_ops: Iterable[caffe2_pb2.OperatorDef], blob_sizes: Mapping[str, int] | None = None
) -> dict[str, LiveRange]:
    """The live range of every blob of operators in the order they run. Raises Misuse where a size is missing."""
    if not blob_sizes:
        log.warning("Provide blob sizes to get more accurate assignments.")
    used: dict[str, int] = {}
    defined: dict[str, int] = {}
    for position, op in enumerate(linearized_ops):
        used.update(dict.fromkeys(op.input, position))
        for blob in op.output:
            defined.setdefault(blob, position)
    blobs = used | defined
    for blob in blobs if blob_sizes else ():
        demand(blob_sizes.get(blob) is not None, f"the size of blob {blob} is not given")
    return {b: LiveRange(defined.get(b), used.get(b), blob_sizes[b] if blob_sizes else None) for b in blobs}


def get_updated_ranges(ranges: Sequence[Named], max_live: int | None = None) -> list[Named]:
    """Ranges without gaps: defined before all, used until `max_live`, of size 1."""
    if max_live is None:
        max_live = max((r.used for _, r in ranges if r.used), default=0) + 1
    return [
        (
            name,
            LiveRange(
                -1 if r.defined is None else r.defined,
                max_live if r.used is None else r.used,
                1 if r.size is None else r.size,
            ),
        )
        for name, r in ranges
    ]


def is_compatible(candidate_range: LiveRange, assignment: Assignment, static_blobs: Collection[str]) -> bool:
    """Whether a blob is first needed when the last of an assignment, which is not static, is needed no more."""
    name, last = assignment[-1]
    if name in static_blobs or None in (candidate_range.defined, last.defined, last.used):
        return False
    return candidate_range.defined > last.used


def _get_max_size(assignment: Assignment) -> int:
    return max((r.size or 0 for _, r in assignment), default=0)


def get_memory_usage(assignments: Iterable[Assignment]) -> int:
    """The sum of the largest sizes."""
    return sum(map(_get_max_size, assignments))


def compute_assignments_greedy(
    ranges_sorted: Iterable[Named], init_assignments: list[Assignment] | None = None
) -> list[Assignment]:
    """Blobs, sorted by their last use, each with the compatible ones nearest in size, on top of assignments."""
    assignments = init_assignments or []
    visited = {name for assignment in assignments for name, _ in assignment}
    for name, candidate in ranges_sorted:
        if name in visited:
            continue
        fitting = [a for a in assignments if is_compatible(candidate, a, ())]
        if fitting:
            size = candidate.size or 0
            min(fitting, key=lambda a: abs(_get_max_size(a) - size)).append((name, candidate))
        else:
            assignments.append([(name, candidate)])
    return assignments


def compute_assignments_dp(
    ranges_sorted: Sequence[Named], init_assignment: list[Assignment] | None, counter: list[int] | None = None
) -> list[Assignment]:
    """Blobs, sorted by their last use, so that the memory is least, on top of assignments.

    The best for the first k blobs builds on the best for the first j, where j is the last such that blob k may follow
    every assignment there: only the blobs between them compete with it. Among those, blob k either is put on one of the
    assignments that it may follow, which is then closed to the others, or stands for itself.
    """
    best: list[list[Assignment]] = []
    start = list(init_assignment or [])
    for k, (_, candidate) in enumerate(ranges_sorted):
        before = (j for j in reversed(range(k)) if all(is_compatible(candidate, a, ()) for a in best[j]))
        j = next(before, -1)
        base = best[j] if j >= 0 else start
        best.append(_best(ranges_sorted[j + 1 : k + 1], base, best[-1] if best else start))
    return best[-1] if best else start


def _best(ranges: Sequence[Named], base: list[Assignment], without_last: list[Assignment]) -> list[Assignment]:
    *others, last = ranges
    options = []
    for index, assignment in enumerate(base):
        if is_compatible(last[1], assignment, ()):
            rest = base[:index] + base[index + 1 :]
            options.append(compute_assignments_dp(others, rest) + [[*assignment, last]])
    return min([*options, [*without_last, [last]]], key=get_memory_usage)


def compute_assignments(
    ranges: Mapping[str, LiveRange], static_blobs: Collection[str], algo: AssignmentAlgorithm
) -> list[Assignment]:
    """Assignments of all blobs; static ones share with none."""
    ordered = get_updated_ranges(sorted(ranges.items(), key=lambda p: (p[1].used is None, p[1].used or 0)))
    sharable = [named for named in ordered if named[0] not in static_blobs]
    log.info("Total sharable blobs %d", len(sharable))
    if algo is AssignmentAlgorithm.DYNAMIC_PROGRAMMING:
        assignments = compute_assignments_dp(sharable, [])
    elif algo is AssignmentAlgorithm.GREEDY:
        assignments = compute_assignments_greedy(sharable, [])
    else:
        raise ValueError(f"Invalid algo name {algo}; it is one of {list(AssignmentAlgorithm)}")
    return assignments + [[named] for named in ordered if named[0] in static_blobs]


def compute_blob_assignments(assignments: Iterable[Assignment]) -> dict[str, str]:
    """For each blob that shares, the name that all of its assignment get: that of the last."""
    return {name: shared[-1][0] for shared in assignments if len(shared) > 1 for name, _ in shared}


def verify_assignments(assignments: Iterable[Assignment]) -> None:
    """Raise Misuse where two blobs share and are needed at once."""
    for assignment in assignments:
        for (a, first), (b, then) in zip(assignment, assignment[1:]):
            demand(first.used < then.defined, f"blobs {a} and {b} share a name and are needed at once")
