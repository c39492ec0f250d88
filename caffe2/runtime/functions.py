"""Python functions that operators call, by the tokens that name them in nets."""

from __future__ import annotations

import hashlib
import os
import pickle
from collections.abc import Callable
from typing import Any, NamedTuple

from caffe2.opdef import EnforceNotMet, did_you_mean


class Function(NamedTuple):
    """A function of (inputs, outputs), or, with `takes_workspace`, of (inputs, outputs, workspace)."""

    call: Callable[..., Any]
    takes_workspace: bool


class Functions:
    """The functions of this process; a function stays as long as the process."""

    def __init__(self) -> None:
        self._forward: dict[str, Function] = {}
        self._backward: dict[str, Function] = {}
        self._trusted: set[bytes] = set()
        self.show_workspace: Callable[[Any], Any] = lambda workspace: workspace

    def trust(self, pickled: bytes) -> bytes:
        """Note that this process made a pickled builder of a function; the builder."""
        self._trusted.add(hashlib.sha256(pickled).digest())
        return pickled

    def unpickled(self, pickled: bytes) -> tuple[Callable, tuple, dict]:
        """A pickled builder (make, args, kwargs).

        Unpickling runs code, and a net may come from anywhere: raises EnforceNotMet for a builder that this process did
        not make, unless the environment says CAFFE2_TRUST_PICKLED_FUNCTIONS=1.
        """
        known = hashlib.sha256(pickled).digest() in self._trusted
        if not known and os.environ.get("CAFFE2_TRUST_PICKLED_FUNCTIONS") != "1":
            raise EnforceNotMet(
                "this net holds a pickled Python function that this process did not make; running it would run whatever"
                " code it holds. If you trust the net, set CAFFE2_TRUST_PICKLED_FUNCTIONS=1"
            )
        return pickle.loads(pickled)

    def register(self, call: Callable, takes_workspace: bool = False, name: str = "") -> str:
        """Keep a function; its token: [name:]function name, with a number behind it where that is taken."""
        if not callable(call):
            raise EnforceNotMet(f"a Python operator needs a function, not a {type(call).__name__}")
        stem = f"{name}:" * bool(name) + getattr(call, "__name__", type(call).__name__)
        token, number = stem, 0
        while token in self._forward:
            number += 1
            token = f"{stem}:{number}"
        self._forward[token] = Function(call, takes_workspace)
        return token

    def register_gradient(self, token: str, call: Callable) -> None:
        """Keep the gradient of a function that was registered; it takes a workspace where that does."""
        self._backward[token] = Function(call, self.find(token).takes_workspace)

    def find(self, token: str, backward: bool = False) -> Function:
        """The function of a token, or its gradient. Raises EnforceNotMet where there is none."""
        known = self._backward if backward else self._forward
        if token not in known:
            what = "gradient of a Python function" if backward else "Python function"
            raise EnforceNotMet(f"no {what} is registered in this process as {token!r}{did_you_mean(token, known)}")
        return known[token]


functions = Functions()
