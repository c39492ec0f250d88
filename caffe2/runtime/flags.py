"""Flags of the process, given as on a command line, and engines preferred where an operator names none."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from caffe2.opdef import EnforceNotMet, OpDef
from caffe2.proto import caffe2_pb2
from caffe2.runtime.device import TORCH_NAMES

logger = logging.getLogger(__name__)

BOOLEANS = {"1": True, "true": True, "t": True, "0": False, "false": False, "f": False}
PREFIX = "caffe2_"


class Flags:
    """What this process was told.

    throw_if_fp_exceptions: operators bound from now on raise where they make infinities or NaN of finite numbers.
    engines: engines to try in order, by torch's type of device and operator type, under "" for every operator.
    """

    def __init__(self) -> None:
        self.throw_if_fp_exceptions = False
        self.engines: dict[str, dict[str, list[str]]] = {}

    def read(self, args: Sequence[str]) -> None:
        """Take flags `--caffe2_name=value` or `--caffe2_name value`; the first argument is the program and passed over.

        Flags of the original that mean nothing here, and arguments without `--`, are passed over too. Raises
        EnforceNotMet for a flag that is none of Caffe2's, or a value that does not fit.
        """
        if isinstance(args, (str, bytes)):
            raise TypeError(f"arguments are a list of strings, not {args!r}")
        rest = list(args[1:])
        while rest:
            argument = rest.pop(0)
            if not argument.startswith("--"):
                continue
            name, given, value = argument[2:].partition("=")
            if not name.startswith(PREFIX):
                raise EnforceNotMet(f"{argument}: no flag of Caffe2's; they begin with --{PREFIX}")
            if not given and rest and not rest[0].startswith("--"):
                value = rest.pop(0)
            self._set(name, value)

    def _set(self, name: str, value: str) -> None:
        if name == "caffe2_operator_throw_if_fp_exceptions":
            self.throw_if_fp_exceptions = _boolean(name, value)
        elif name == "caffe2_log_level":
            logging.getLogger("caffe2").setLevel(_level(_integer(name, value)))
        elif name in ("caffe2_omp_num_threads", "caffe2_mkl_num_threads"):
            if (number := _integer(name, value)) > 0:
                torch.set_num_threads(number)
        else:
            logger.debug("the flag --%s means nothing here", name)

    def prefer(self, engines: Mapping[int, Mapping[str, Sequence[str]]]) -> None:
        """By type of device, and operator type or "" for every one, the engines to try where an operator names none."""
        unknown = engines.keys() - TORCH_NAMES.keys()
        if unknown:
            raise EnforceNotMet(f"device types {sorted(unknown)} are not known; known are {sorted(TORCH_NAMES)}")
        for device, by_operator in engines.items():
            known = self.engines.setdefault(TORCH_NAMES[device], {})
            known.update((op, list(names)) for op, names in by_operator.items())

    def engine(self, op: caffe2_pb2.OperatorDef, definition: OpDef, device: str) -> str:
        """The first engine with a kernel of its own, of those that `op` names, then of those preferred; or ""."""
        preferred = self.engines.get(device, {})
        wanted = (*op.engine.split(","), *preferred.get(op.type, ()), *preferred.get("", ()))
        return next((name for name in wanted if name in definition.kernels), "")


def _boolean(name: str, value: str) -> bool:
    if value.lower() not in BOOLEANS:
        raise EnforceNotMet(f"the flag --{name} is true or false, not {value!r}")
    return BOOLEANS[value.lower()]


def _integer(name: str, value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise EnforceNotMet(f"the flag --{name} is an integer, not {value!r}") from None


def _level(number: int) -> int:
    """Python's level for the original's: negative is all, 0 what goes on, 1 warnings, 2 errors, 3 the worst."""
    levels = (logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL)
    return logging.DEBUG if number < 0 else levels[min(number, 3)]


flags = Flags()


def guarded(kernel: Callable[..., Any], name: str) -> Callable[..., Any]:
    """A kernel that raises EnforceNotMet where it makes infinities or NaN of finite numbers."""

    def run(*given: Any) -> Any:
        finite = all(map(_finite, given))
        made = kernel(*given)
        if finite and not all(map(_finite, made if isinstance(made, (tuple, list)) else [made])):
            raise EnforceNotMet(f"{name}: a floating-point exception: it made infinities or NaN of finite numbers")
        return made

    return run


def _finite(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(map(_finite, value))
    return not isinstance(value, torch.Tensor) or not value.is_floating_point() or bool(value.isfinite().all())
