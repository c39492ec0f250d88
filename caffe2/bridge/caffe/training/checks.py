"""What a SolverParameter has to say before a training can begin."""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf.message import Message

from caffe2.bridge.caffe.errors import Position, Problem, UntranslatableError

TYPES = ("SGD", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam")
POLICIES = ("fixed", "step", "exp", "inv", "multistep", "poly", "sigmoid")
WITH_GAMMA = ("step", "exp", "multistep", "sigmoid")
WITH_STEPSIZE = ("step", "sigmoid")
TRAIN_NETS = ("net", "net_param", "train_net", "train_net_param")


def check_solver(solver: Message, path: str) -> None:
    """Raises UntranslatableError that lists everything which Caffe refuses in a solver, or that it lacks."""
    found = [*_nets(solver), *_rate(solver), *_step(solver), *_schedule(solver)]
    if found:
        raise UntranslatableError([Problem("", "solver", name, Position(path), what) for name, what in found])


def _nets(s: Message) -> Iterator[tuple[str, str]]:
    given = [name for name in TRAIN_NETS if s.HasField(name)]
    if len(given) != 1:
        what = f"give exactly one of {', '.join(TRAIN_NETS)}; there are {', '.join(given) or 'none'}"
        yield (given[0] if given else "net"), what
    tests = len(s.test_net) + len(s.test_net_param)
    shared = s.HasField("net") or s.HasField("net_param")
    if len(s.test_iter) < tests or (not shared and len(s.test_iter) != tests):
        yield "test_iter", f"give it once for each of the {tests} test nets, not {len(s.test_iter)} times"
    if len(s.test_state) not in (0, len(s.test_iter)):
        yield "test_state", f"give none, or one for each of the {len(s.test_iter)} test nets, not {len(s.test_state)}"
    if s.test_iter and s.test_interval <= 0:
        yield "test_interval", f"must be positive where there are test nets, not {s.test_interval}"
    if any(count <= 0 for count in s.test_iter):
        yield "test_iter", f"must be positive, not {min(s.test_iter)}"


def _rate(s: Message) -> Iterator[tuple[str, str]]:
    if not s.HasField("base_lr"):
        yield "base_lr", "must be given"
    if s.lr_policy not in POLICIES:
        yield "lr_policy", f'"{s.lr_policy}" is none of Caffe\'s: {", ".join(POLICIES)}'
    if s.gamma < 0 and s.lr_policy in WITH_GAMMA:
        yield "gamma", f"must not be negative, as {s.gamma:g} is"
    if s.stepsize <= 0 and s.lr_policy in WITH_STEPSIZE:
        yield "stepsize", f"must be positive, not {s.stepsize}"


def _step(s: Message) -> Iterator[tuple[str, str]]:
    if s.type not in TYPES:
        yield "type", f'"{s.type}" is none of Caffe\'s: {", ".join(TYPES)}'
    if s.type in ("AdaGrad", "RMSProp") and s.momentum:
        yield "momentum", f"{s.type} takes none, not {s.momentum:g}; leave it out"
    if s.type == "RMSProp" and not 0 <= s.rms_decay < 1:
        yield "rms_decay", f"must be at least 0 and below 1, not {s.rms_decay:g}"
    if s.regularization_type not in ("L1", "L2"):
        yield "regularization_type", f'is "L1" or "L2", not "{s.regularization_type}"'
    if s.iter_size < 1:
        yield "iter_size", f"must be positive, not {s.iter_size}"


def _schedule(s: Message) -> Iterator[tuple[str, str]]:
    if s.average_loss < 1:
        yield "average_loss", f"must be positive, not {s.average_loss}"
    for name in ("max_iter", "display", "snapshot", "test_interval"):
        if getattr(s, name) < 0:
            yield name, f"must not be negative, as {getattr(s, name)} is"
