"""The start of a process: command-line flags, and engines that operators prefer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from caffe2.python.lazy import TriggerLazyImport
from caffe2.runtime.flags import flags

_given: list[str] = []


def GlobalInit(args: Sequence[str]) -> None:
    """Take command-line flags, the program's name first. Raises EnforceNotMet for one that is none of Caffe2's."""
    TriggerLazyImport()
    flags.read(args)
    _given.extend(args[1:])


def GetGlobalInitArgs() -> list[str]:
    """The arguments that GlobalInit was given so far, without the programs' names."""
    return list(_given)


def SetPerOpEnginePref(pref: Mapping[int, Mapping[str, Sequence[str]]]) -> None:
    """By type of device and operator type, the engines to try, in order, where an operator names none."""
    for by_operator in flags.engines.values():
        for op_type in [op_type for op_type in by_operator if op_type]:
            del by_operator[op_type]
    flags.prefer(pref)


def SetGlobalEnginePref(pref: Mapping[int, Sequence[str]]) -> None:
    """By type of device, the engines to try, in order, where an operator names none, after those for its type."""
    for by_operator in flags.engines.values():
        by_operator.pop("", None)
    flags.prefer({device: {"": names} for device, names in pref.items()})


def SetEnginePref(
    per_op_pref: Mapping[int, Mapping[str, Sequence[str]]], global_pref: Mapping[int, Sequence[str]]
) -> None:
    """Both at once, in the place of what was preferred before."""
    SetPerOpEnginePref(per_op_pref)
    SetGlobalEnginePref(global_pref)


def SetOpEnginePref(op_type: str, op_pref: Mapping[int, Sequence[str]]) -> None:
    """By type of device, the engines to try, in order, for one type of operator."""
    flags.prefer({device: {op_type: names} for device, names in op_pref.items()})
