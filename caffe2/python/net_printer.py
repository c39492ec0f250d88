"""Nets, steps, tasks and jobs as text to read, and a check of the blobs that they read."""

from __future__ import annotations

from typing import Any

from caffe2.python._misuse import demand
from caffe2.python._net_printer.analysis import (
    Analyzer,
    analyze,
    analyze_job,
    analyze_net,
    analyze_op,
    analyze_step,
    analyze_task,
    analyze_task_group,
)
from caffe2.python._net_printer.expression import (
    call,
    commonprefix,
    factor_prefix,
    format_device_option,
    format_value,
)
from caffe2.python._net_printer.printing import (
    Printer,
    Text,
    print_job,
    print_net,
    print_net_def,
    print_op,
    print_step,
    print_task,
    print_task_group,
)
from caffe2.python._net_printer.visitor import Visitor
from caffe2.python.core import Net

__all__ = [
    "Analyzer",
    "Printer",
    "Text",
    "Visitor",
    "analyze",
    "analyze_job",
    "analyze_net",
    "analyze_op",
    "analyze_step",
    "analyze_task",
    "analyze_task_group",
    "call",
    "commonprefix",
    "debug_net",
    "factor_prefix",
    "format_device_option",
    "format_value",
    "print_job",
    "print_net",
    "print_net_def",
    "print_op",
    "print_step",
    "print_task",
    "print_task_group",
    "to_string",
]


def to_string(obj: Any, **kwargs: Any) -> str:
    """A net, step, task, task group or job as text; the keywords are those of Printer."""
    printer = Printer(**kwargs)
    printer(obj)
    return str(printer)


def debug_net(net: Net) -> Net:
    """A net of the same operators that logs each one before it runs."""
    demand(isinstance(net, Net), f"debug_net takes a Net, not a {type(net).__name__}")
    logged = Net(str(net))
    for op in net.Proto().op:
        logged.LogInfo(to_string(op))
        logged.Proto().op.append(op)
    return logged
