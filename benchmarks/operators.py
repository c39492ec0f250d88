"""How fast are operators beside the original Caffe2's?  The same nets in two processes, in turn, on realistic sizes.

python -m benchmarks.operators [--oracle PYTHON] [--only REGEX] [--rounds 3]

PYTHON is an interpreter in which `import caffe2` finds the original; without one, times alone are told.

On two cores (EPYC, AVX2), beside the Caffe2 within PyTorch 1.8.1, operators are so many times faster:

    SparseLengthsSum 1.6, of 8 bits 1.8, of 4 bits 1.1     GenerateProposals 3.7 to 5.9, BoxWithNMSLimit 0.9
    SparseAdagrad 1.2, RowWise 6.6, SparseAdam 2.8         RoIAlign 6.0, its gradient 7.0, RoIPool 3.1
    UnsortedSegmentSum 1.4, SortedSegmentSum 2.1           LSTM 3.2, training 3.4; GRU 1.7, training 1.6
    LengthsSum 3.4, LengthsMax 0.8, LengthsTopK 2.7        Int8Conv 3.7, 1x1 2.4, Int8FC 2.6
    TopK 1.2 to 3.8, Unique 4.7, Gather 2.7                CTCBeamSearchDecoder 312, CTCGreedyDecoder 0.4
    ScatterAssign 1.1, Cast 1.7, SegmentOneHot 2.1         LRN 1.5, its gradient 6.7; Softmax 2.8, Tile 2.8
    MaxPool 3x3 1.0, gradient 1.9; 2x2 3.7 and 4.0         SpatialBN 2.5, its gradient 2.6; Transpose 7.8
    NHWC MaxPool 2.0, gradient 5.4                         FC 5.5, Conv 5.3 and their gradients 7.5 and 5.4

Behind it are Tanh (0.6), ResizeNearest (0.2), BBoxTransform (0.5), and what is over in microseconds: LengthsToRanges,
LengthsRangeFill, LabelCrossEntropy.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

WORKS = Path(__file__).with_name("operator_works")
ROOT = WORKS.parent.parent


class Worker:
    """A process that times works on request: a line with a name in, seconds or a reason out."""

    def __init__(self, python: str, path: Path | None) -> None:
        env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | ({"PYTHONPATH": str(path)} if path else {})
        command = [python, "-W", "ignore", str(WORKS)]
        # Elsewhere: a caffe2 in the working directory would hide the one that is asked for.
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=env,
            cwd=tempfile.gettempdir(),
        )

    def ask(self, line: str) -> str:
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def time(self, name: str, budget: float) -> float | str:
        """The seconds of one run of a net, or why there are none."""
        said = self.ask(f"{name} {budget}")
        try:
            return float(said)
        except ValueError:
            return said or "the process ended"

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


Times = dict[str, list]
"""The times of each side, in the order they were taken."""


def measure(pythons: dict[str, tuple[str, Path | None]], only: str, rounds: int) -> Iterator[tuple[str, Times]]:
    """The names and times of works, timed in fresh processes every round."""
    found: dict[str, Times] = {}
    for k in range(rounds):
        workers = {side: Worker(*where) for side, where in pythons.items()}
        try:
            for name in workers["caffe2"].ask("list").split():
                if re.search(only, name):
                    take_turns(workers, name, found.setdefault(name, {side: [] for side in workers}))
                    if k == rounds - 1:
                        yield name, found[name]
        finally:
            for worker in workers.values():
                worker.close()


def take_turns(workers: dict[str, Worker], name: str, times: Times, turns: int = 5) -> None:
    """Time a work on all sides in turn."""
    for worker in workers.values():
        worker.time(name, 0.0)
    for _ in range(turns):
        for side, worker in workers.items():
            time.sleep(0.005)  # threads of the other side may still spin
            times[side].append(worker.time(name, 0.05))
    for worker in workers.values():
        worker.ask("forget")


def told(times: list) -> str:
    """The median of times, or the reason why there are none."""
    reasons = [t for t in times if isinstance(t, str)]
    return reasons[0][:60] if reasons else f"{statistics.median(times) * 1e3:10.3f} ms"


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--oracle", help="the Python in which the original is installed")
    p.add_argument("--only", default="", help="works whose names match this regular expression")
    p.add_argument("--rounds", type=int, default=3)
    a = p.parse_args()
    pythons: dict[str, tuple[str, Path | None]] = {"caffe2": (sys.executable, ROOT)}
    if a.oracle:
        pythons["original"] = (os.path.expanduser(a.oracle), None)
    else:
        print("No --oracle PYTHON is given: there is nothing to compare with, these are times alone.")
    ratios = []
    for name, sides in measure(pythons, a.only, a.rounds):
        line = f"{name:40}" + "".join(f"  {side} {told(times)}" for side, times in sides.items())
        pairs = list(zip(*sides.values()))
        if len(sides) == 2 and all(isinstance(t, float) for pair in pairs for t in pair):
            ratios.append(statistics.median(theirs / ours for ours, theirs in pairs))
            line += f"  {ratios[-1]:6.2f} x as fast"
        print(line, flush=True)
    if ratios:
        print(f"{len(ratios)} works: the median {statistics.median(ratios):.2f}, the least {min(ratios):.2f}")


if __name__ == "__main__":
    main()
