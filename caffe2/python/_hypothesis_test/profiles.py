"""How many examples tests draw, and for how long: profiles, chosen by CAFFE2_HYPOTHESIS_PROFILE."""

from __future__ import annotations

import os
from typing import Any

import hypothesis


def is_sandcastle() -> bool:
    """Whether this runs in the original authors' test system."""
    return os.getenv("SANDCASTLE") == "1" or os.getenv("TW_JOB_USER") == "sandcastle"


def is_travis() -> bool:
    """Whether this runs in Travis CI."""
    return "TRAVIS" in os.environ


def settings(*args: Any, **kwargs: Any) -> hypothesis.settings:
    """hypothesis.settings that accept what earlier releases did: min_satisfying_examples and, in seconds, timeout."""
    kwargs.pop("min_satisfying_examples", None)
    timeout = kwargs.pop("timeout", None)
    if timeout is not None:
        kwargs.setdefault("deadline", timeout * 1e3)
    return hypothesis.settings(*args, **kwargs)


_COMMON = {
    # Tests draw arrays of many elements, which newer releases of hypothesis take for a mistake.
    "suppress_health_check": list(hypothesis.HealthCheck),
    "database": None,
}

for _name, _profile in {
    "sandcastle": {"derandomize": True, "max_examples": 50, "deadline": 10000},
    "dev": {"max_examples": 10, "deadline": 10000},
    "debug": {"max_examples": 1000, "verbosity": hypothesis.Verbosity.verbose, "deadline": 50000},
}.items():
    hypothesis.settings.register_profile(_name, settings(**_COMMON, **_profile))

hypothesis.settings.load_profile("sandcastle" if is_sandcastle() else os.getenv("CAFFE2_HYPOTHESIS_PROFILE", "dev"))
