"""The command `train` of the Caffe translator: a training as Caffe's own command runs and reports it."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from caffe2.bridge.caffe.training import read_training
from caffe2.python._caffe_solver.solver import CaffeSolver, Event
from caffe2.python._caffe_solver.target import device_option, solvers_device

EXAMPLES = """examples:
  train from the beginning, as the solver says
    python -m caffe2.python.caffe_translator train --solver solver.prototxt
  go on from a snapshot
    python -m caffe2.python.caffe_translator train --solver solver.prototxt --snapshot lenet_iter_5000.solverstate
  begin with weights of other trainings, matched by the names of layers
    python -m caffe2.python.caffe_translator train --solver solver.prototxt --weights a.caffemodel,b.caffemodel
  try 100 iterations on the first GPU
    python -m caffe2.python.caffe_translator train --solver solver.prototxt --iterations 100 --device cuda:0
  write the nets too, to run them elsewhere
    python -m caffe2.python.caffe_translator train --solver solver.prototxt --nets folder

Ctrl-C ends the training after the iteration that runs, with a snapshot unless the solver says snapshot_after_train:
false; the signal HUP takes a snapshot and goes on.

exit status: 0 done; 2 the solver or its nets cannot be read, translated or run
"""
BAR = 30


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    p = argparse.ArgumentParser(
        prog="python -m caffe2.python.caffe_translator train",
        description="Train a net as a Caffe solver says, and write snapshots that Caffe reads.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("--solver", required=True, metavar="FILE", help="the solver: a .prototxt")
    start = p.add_mutually_exclusive_group()
    start.add_argument("--snapshot", metavar="FILE", help="a .solverstate, or .solverstate.h5, to go on from")
    start.add_argument("--weights", metavar="FILE,FILE", help=".caffemodel files to begin with")
    p.add_argument("--iterations", type=int, metavar="N", help="train to iteration N, instead of the solver's max_iter")
    p.add_argument("--device", help="cpu or cuda:N, instead of the solver's solver_mode and device_id")
    p.add_argument("--level", type=int, help="the level of the training net's state")
    p.add_argument("--stage", action="append", default=[], help="a stage of the training net's state; may be repeated")
    p.add_argument("--nets", metavar="DIR", help="write the nets of the training into this folder")
    return p


def train(words: Sequence[str]) -> int:
    """Run the command; raises TranslatorError or EnforceNotMet where there is nothing to train."""
    a = parser().parse_args(words)
    weights = [name.strip() for name in a.weights.split(",")] if a.weights else ()
    training = read_training(a.solver, weights, a.snapshot, max_iter=a.iterations, level=a.level, stages=a.stage)
    device, note = (device_option(a.device), []) if a.device else solvers_device(training.param)
    solver = CaffeSolver(training, device=device)
    for line in [*solver.notes, *note]:
        print(f"note: {line}")
    if a.nets:
        print(f"wrote {', '.join(solver.save_nets(a.nets))}")
    show = Display(solver)
    with _signals(solver):
        for event in solver.events():
            show(event)
    return 0


@contextmanager
def _signals(solver: CaffeSolver) -> Iterator[None]:
    """SIGINT stops the solver, SIGHUP has it take a snapshot; a second SIGINT interrupts at once."""

    def stop(number: int, frame: object) -> None:
        solver.stop = True
        signal.signal(number, signal.default_int_handler)

    def save(number: int, frame: object) -> None:
        solver.save_now = True

    handlers = {signal.SIGINT: stop}
    if hasattr(signal, "SIGHUP"):
        handlers[signal.SIGHUP] = save
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Display:
    """Prints what happens in a training as Caffe's log tells it; on a terminal, a bar shows how far it is."""

    def __init__(self, solver: CaffeSolver) -> None:
        self.solver, self.since, self.last = solver, time.perf_counter(), solver.iteration
        self.bar = sys.stderr.isatty()

    def __call__(self, event: Event) -> None:
        if event.kind != "step":
            self._clear()
            for line in self._lines(event):
                print(line, flush=True)
        if self.bar and event.kind != "end":
            self._draw()

    def _lines(self, e: Event) -> Iterator[str]:
        if e.kind == "display":
            yield f"Iteration {e.iteration}{self._speed(e)}, loss = {e.loss:g}"
            yield from _outputs("Train net", e.outputs, self.solver.outputs)
            if e.rate is not None:
                yield f"Iteration {e.iteration}, lr = {e.rate:g}"
        elif e.kind == "test":
            yield f"Iteration {e.iteration}, Testing net (#{e.net})"
            if e.loss is not None:
                yield f"Test loss: {e.loss:g}"
            yield from _outputs("Test net", e.outputs, self.solver.test_outputs[e.net])
        elif e.kind == "snapshot":
            yield from (f"Snapshotting to {path}" for path in e.files)
        else:
            yield "Optimization stopped early." if self.solver.stop else "Optimization Done."

    def _speed(self, e: Event) -> str:
        """Iterations a second since the last display, and the time that they took."""
        if e.rate is None:
            return ""
        now, every = time.perf_counter(), self.solver.param.display
        seconds, count = now - self.since, e.iteration - self.last
        self.since, self.last = now, e.iteration
        return f" ({count / max(seconds, 1e-9):.4g} iter/s, {seconds:.4g}s/{every} iters)"

    def _draw(self) -> None:
        done, whole = self.solver.iteration, max(self.solver.param.max_iter, 1)
        filled = min(BAR, BAR * done // whole)
        print(f"\r[{'#' * filled:{BAR}}] {done}/{whole}", end="", file=sys.stderr, flush=True)

    def _clear(self) -> None:
        if self.bar:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def _outputs(net: str, values: Mapping[str, Sequence[float]], weights: Mapping[str, float]) -> Iterator[str]:
    """A line for each number that a net gives; of a loss, what it adds to the total too."""
    numbers = [(name, float(value)) for name, array in values.items() for value in array.ravel()]
    for index, (name, value) in enumerate(numbers):
        weight = weights.get(name)
        loss = f" (* {weight:g} = {weight * value:g} loss)" if weight else ""
        yield f"    {net} output #{index}: {name} = {value:g}{loss}"
