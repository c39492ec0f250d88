from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.sample import Sample


def gradient_too(kind: str, inputs: list, args: dict[str, Any], slope: np.ndarray) -> Iterator[Sample]:
    """A sample of an operator, and one of its gradient operator for a slope of the first output."""
    yield Sample(kind, tuple(inputs), args)
    yield Sample(f"{kind}Gradient", (*inputs, slope), args)
