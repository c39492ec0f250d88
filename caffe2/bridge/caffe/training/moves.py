"""How the types of Caffe's solvers move a parameter.

With g its gradient, w the parameter, rate = lr lr_mult, and h, h2 what the solver remembers of it:

    SGD       h = rate g + momentum h,              w = w - h
    Nesterov  h' = rate g + momentum h,             w = w - (1 + momentum) h' + momentum h
    AdaGrad   h = h + g^2,                          w = w - rate g / (sqrt(h) + delta)
    RMSProp   h = decay h + (1 - decay) g^2,        w = w - rate g / (sqrt(h) + delta)
    AdaDelta  h = momentum h + (1 - momentum) g^2,  u = g sqrt((h2 + delta) / (h + delta)),
              h2 = momentum h2 + (1 - momentum) u^2, w = w - rate u
    Adam      h = momentum h + (1 - momentum) g,    h2 = momentum2 h2 + (1 - momentum2) g^2,
              w = w - rate sqrt(1 - momentum2^t) / (1 - momentum^t) h / (sqrt(h2) + delta), t counting from 1
"""

from __future__ import annotations

from dataclasses import dataclass

from google.protobuf.message import Message

from caffe2.bridge.caffe.translate import Builder


@dataclass(frozen=True)
class Move:
    """A parameter w about to move: its gradient g, what is remembered of it, its rate, and the count of iterations.

    kept: g is not this net's, and is not to be written over.
    """

    w: str
    g: str
    h: list[str]
    rate: str
    iteration: str
    kept: bool


def _momentum(b: Builder, s: Message, m: Move) -> None:
    g = b.op("Copy", m.g) if m.kept else m.g
    nesterov = int(s.type == "Nesterov")
    b.op("MomentumSGDUpdate", [g, *m.h, m.rate, m.w], [g, *m.h, m.w], momentum=s.momentum, nesterov=nesterov)


def _adagrad(b: Builder, s: Message, m: Move) -> None:
    b.op("Adagrad", [m.w, *m.h, m.g, m.rate], [m.w, *m.h], epsilon=s.delta)


def _rmsprop(b: Builder, s: Message, m: Move) -> None:
    (h,), kept, new = m.h, b.constant(s.rms_decay), b.constant(1 - s.rms_decay)
    b.op("WeightedSum", [h, kept, b.op("Sqr", m.g), new], h)
    root = b.op("Add", [b.op("Sqrt", h), b.constant(s.delta)], "", broadcast=1)
    b.op("WeightedSum", [m.w, b.constant(1.0), b.op("Div", [m.g, root]), m.rate], m.w)


def _adadelta(b: Builder, s: Message, m: Move) -> None:
    b.op("Adadelta", [m.w, *m.h, m.g, m.rate], [m.w, *m.h], epsilon=s.delta, decay=s.momentum)


def _adam(b: Builder, s: Message, m: Move) -> None:
    args = {"beta1": s.momentum, "beta2": s.momentum2, "epsilon": s.delta}
    b.op("Adam", [m.w, *m.h, m.g, m.rate, m.iteration], [m.w, *m.h], **args)


MOVES = {
    "SGD": _momentum,
    "Nesterov": _momentum,
    "AdaGrad": _adagrad,
    "RMSProp": _rmsprop,
    "AdaDelta": _adadelta,
    "Adam": _adam,
}
"""The operators of a move, by the type of the solver."""

TWO = ("AdaDelta", "Adam")
"""The solvers that remember two blobs a parameter."""
ASCENDING = ("AdaGrad", "RMSProp", "AdaDelta", "Adam")
"""The solvers whose operators add rate times their step: their rate is negative."""
