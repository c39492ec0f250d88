"""A net as one generated Python function over its cells: what runs when nothing needs to be looked at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import CodeType

from caffe2.runtime.bind import Step
from caffe2.runtime.blob import Blob


def generate(steps: Sequence[Step]) -> tuple[Callable[[], None], CodeType]:
    """A function that runs the steps in order, one line each, and its code.

    Saves a call an operator over a list of closures. `failed_step` finds the line that raised.
    """
    names: dict[int, str] = {}
    scope: dict[str, object] = {}

    def cell(blob: Blob) -> str:
        name = names.setdefault(id(blob), f"b{len(names)}")
        scope[name] = blob
        return f"{name}.value"

    lines = ["def run():"]
    for number, step in enumerate(steps):
        scope[f"k{number}"] = step.call
        lines.append(" " + _line(f"k{number}", step, cell))
    code = compile("\n".join([*lines, " return"]), "<net>", "exec")
    exec(code, scope)
    run = scope["run"]
    return run, run.__code__


def _line(kernel: str, step: Step, cell: Callable[[Blob], str]) -> str:
    parts = []
    for given in step.parameters:
        inner = ", ".join(map(cell, given)) if isinstance(given, tuple) else cell(given)
        parts.append(f"({inner},)" if isinstance(given, tuple) and given else inner or "()")
    call = f"{kernel}({', '.join(parts)})"
    if not step.definition.stores or not step.outputs:
        return call
    targets = ", ".join(map(cell, step.outputs))
    single = len(step.definition.header.outputs) == 1 and not step.definition.header.outputs.run
    return f"{targets} = {call}" if single else f"{targets}, *_ = {call}"


def failed_step(error: BaseException, code: CodeType) -> int | None:
    """The index of the step that raised `error` within generated code; None where it was raised elsewhere."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code is not code:
        trace = trace.tb_next
    return None if trace is None or trace.tb_lineno is None else trace.tb_lineno - 2
