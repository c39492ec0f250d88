"""What a net to be timed is, and the table of their recipes."""

from __future__ import annotations

import time

import numpy as np

from caffe2.python import core, workspace

WORKS = {}
ROWS, WIDTH, BAGS, BAG = 1000000, 64, 4096, 40


class Work:
    """A net to be timed: blobs are fed and operators added by its recipe."""

    def __init__(self, name):
        workspace.ResetWorkspace()
        self.rng = np.random.RandomState(0)
        self.net = core.Net("work")
        self.runs = 1
        WORKS[name](self)
        workspace.CreateNet(self.net)

    def feed(self, **blobs):
        for name, value in blobs.items():
            workspace.FeedBlob(name, value)

    def floats(self, *shape):
        return self.rng.standard_normal(shape).astype(np.float32)

    def whole(self, high, *shape, dtype=np.int64):
        return self.rng.randint(0, high, shape).astype(dtype)

    def table(self):
        """ROWS by WIDTH floats; a block of them again and again, which is drawn sooner."""
        return np.tile(self.floats(ROWS // 1000, WIDTH), (1000, 1))

    def add(self, kind, inputs, outputs, **arguments):
        self.net.Proto().op.extend([core.CreateOperator(kind, inputs.split(), outputs.split(), **arguments)])

    def prepare(self, kind, inputs, outputs, **arguments):
        """Run an operator once, before the net."""
        workspace.RunOperatorOnce(core.CreateOperator(kind, inputs.split(), outputs.split(), **arguments))

    def seconds(self, budget):
        """The time of a run, averaged over about as many as fill the budget."""
        start = time.perf_counter()
        workspace.RunNet(self.net, self.runs)
        spent = time.perf_counter() - start
        if spent < budget:
            self.runs = max(self.runs, min(100000, int(budget / max(spent / self.runs, 1e-7))))
            return self.seconds(0.0)
        return spent / self.runs


def work(name):
    """Register the recipe below under a name."""

    def keep(recipe):
        WORKS[name] = recipe
        return recipe

    return keep


def single(name, kind, make, outputs="Y", **arguments):
    """Register a net of one operator, whose inputs X0, X1 ... `make` tells."""

    def recipe(w):
        made = make(w)
        made = made if isinstance(made, tuple) else (made,)
        w.feed(**{f"X{k}": x for k, x in enumerate(made)})
        w.add(kind, " ".join(f"X{k}" for k in range(len(made))), outputs, **arguments)

    WORKS[name] = recipe


def images(w, *shape):
    return w.floats(*(shape or (32, 64, 56, 56)))


def with_gradient(name, kind, make, outputs, gradient, inputs, made, **arguments):
    """Register a forward operator, and its gradient behind one forward run; X0 ... are the inputs, dY is like Y."""
    single(name, kind, make, outputs, **arguments)

    def recipe(w):
        given = make(w)
        given = given if isinstance(given, tuple) else (given,)
        w.feed(**{f"X{k}": x for k, x in enumerate(given)})
        w.prepare(kind, " ".join(f"X{k}" for k in range(len(given))), outputs, **arguments)
        w.feed(dY=w.floats(*workspace.FetchBlob("Y").shape))
        w.add(gradient, inputs, made, **arguments)

    WORKS[name + "Gradient"] = recipe
