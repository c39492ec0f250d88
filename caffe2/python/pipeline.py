"""Pipelines: tasks that read records, process them and write them, in several threads."""

from __future__ import annotations

from typing import Any

from caffe2.python._misuse import demand
from caffe2.python._pipeline.processor import (
    NetProcessor,
    Output,
    ProcessingReader,
    make_processor,
    normalize_processor_output,
)
from caffe2.python._pipeline.pump import DEFAULT_QUEUE_CAPACITY, Pump
from caffe2.python.dataio import Reader
from caffe2.python.task import Node, Task, TaskGroup, TaskOutput

__all__ = [
    "DEFAULT_QUEUE_CAPACITY",
    "NetProcessor",
    "Output",
    "ProcessingReader",
    "make_processor",
    "normalize_processor_output",
    "pipe",
    "pipe_and_output",
    "processor_name",
]


def processor_name(processor: Any) -> str:
    """What a task is named after: the `name` of a processor, reader or queue, else that of its function or class."""
    name = getattr(processor, "name", None) or getattr(processor, "__name__", type(processor).__name__)
    return processor.__module__ if name == "<lambda>" else name


def pipe(
    input: Any,
    output: Any = None,
    num_threads: int = 1,
    processor: Any = None,
    name: str | None = None,
    capacity: int | None = None,
    group: TaskGroup | None = None,
    num_runtime_threads: int = 1,
) -> Any:
    """Make a task that reads from `input`, processes each record, and writes it to `output`, until one says to stop.

    input: a Reader, or what has a `reader()`. output: a Writer, or what has a `writer()`; by default a new queue of
    `capacity` records. processor: a function of a record, or a net with input and output records; where it returns no
    record nothing is written. num_runtime_threads: instances of the task that run at once; num_threads: the same by
    nets of their own, for readers and processors that need it; 0 makes no task but a reader of the processed records.
    group: instead of the current task group.

    Returns the output: what was given, or the new queue; None where nothing or a mere Writer is written to; a reader.
    """
    return _pipe_step(input, output, num_threads, processor, name, capacity, group, num_runtime_threads)[0]


def pipe_and_output(
    input: Any,
    output: Any = None,
    num_threads: int = 1,
    processor: Any = None,
    name: str | None = None,
    capacity: int | None = None,
    group: TaskGroup | None = None,
    num_runtime_threads: int = 1,
    final_outputs: Any = None,
) -> tuple[Any, TaskOutput | list[TaskOutput] | None]:
    """`pipe`, and the outputs that its task gives back to the session: for a blob or record one, for a list a list."""
    demand(num_threads > 0, "a task is needed to give outputs back: num_threads has to be positive")
    result, task = _pipe_step(
        input, output, num_threads, processor, name, capacity, group, num_runtime_threads, final_outputs
    )
    if final_outputs is None:
        return result, None
    return result, task.outputs() if isinstance(final_outputs, (list, tuple)) else task.outputs()[0]


def _pipe_step(
    input: Any,
    output: Any,
    num_threads: int,
    processor: Any,
    name: str | None,
    capacity: int | None,
    group: TaskGroup | None,
    num_runtime_threads: int,
    final_outputs: Any = None,
) -> tuple[Any, Task | None]:
    demand(num_threads <= 1 or num_runtime_threads <= 1, "Only one of num_threads or num_runtime_threads must be set.")
    if not isinstance(input, Reader) and not hasattr(input, "reader"):
        raise ValueError(f"Input must be a reader, queue or stream. Got {type(input)}")
    reader = input if isinstance(input, Reader) else input.reader()
    if processor is not None:
        reader = ProcessingReader(reader, processor)
    if num_threads == 0 or num_runtime_threads == 0:
        demand(output is None, "without threads there is no task to write to the output")
        return reader, None
    if name is None and processor is not None:
        name = processor_name(processor)
    elif name is None:
        name = f"pipe_from:{processor_name(input)}" if output is None else f"pipe_into:{processor_name(output)}"
    pump = Pump(reader, output, capacity, f"{Node.current()}/pipe/{name}/{type(reader).__name__}")
    if num_threads > 1:
        with Task(name=name, group=group, outputs=final_outputs) as task:
            pump.fill_static(task, num_threads)
    else:
        with Task(name=name, group=group, outputs=final_outputs, num_instances=num_runtime_threads) as task:
            pump.fill_instances()
    return pump.out_queue, task
