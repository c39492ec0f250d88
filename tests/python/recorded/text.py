"""Nets as text, a line an operator; only the checksum of long ones."""

import itertools
import zlib

import numpy as np

from caffe2.python import core, optimizer

LONG = 24


def argument(arg):
    field, value = next(((f.name, v) for f, v in arg.ListFields() if f.name != "name"), ("none", ""))
    values = list(value) if field in ("ints", "floats", "strings") else [value]
    shown = [f"{v:g}" if field in ("f", "floats") else v.decode() if isinstance(v, bytes) else str(v) for v in values]
    return f"{arg.name}={field}:{','.join(shown)}"


def operator(op):
    device = op.device_option
    where = f"@{device.device_type}.{device.device_id}" if op.HasField("device_option") else ""
    extra = "".join("!" + e for e in device.extra_info)
    engine = "#" + op.engine if op.HasField("engine") else ""
    arguments = " {" + " ".join(map(argument, op.arg)) + "}" if op.arg else ""
    return f"{op.type}{engine}{where}{extra}: {' '.join(op.input)} -> {' '.join(op.output)}{arguments}"


def net(proto):
    lines = []
    for is_sum, run in itertools.groupby(map(operator, proto.op), lambda line: "!is_auto_gen_sum_ops" in line):
        ops = list(run)
        # Sums of gradients that follow each other come in the order of a set in the original.
        lines += sorted(ops) if is_sum else ops
    lines.append("in: " + " ".join(proto.external_input))
    if proto.external_output:
        lines.append("out: " + " ".join(proto.external_output))
    if len(lines) > LONG:
        return [f"{len(lines)} lines, crc32 {zlib.crc32(chr(10).join(lines).encode()):08x}"]
    return lines


def model(m):
    blobs = (("params", m.params), ("weights", m.weights), ("biases", m.biases), ("computed", m.GetComputedParams("")))
    names = [f"{kind}: {' '.join(map(str, params))}" for kind, params in blobs]
    return net(m.param_init_net.Proto()) + net(m.net.Proto()) + names


def run(programs, name):
    """The lines that a program gives, its nets and optimizers named as in a new process."""
    core.Net._net_names_used.clear()
    optimizer._optimizer_instance_count.clear()
    np.random.seed(0)
    return programs[name]()


def record(programs):
    """Print what all programs give."""
    for name in programs:
        print(f"== {name}", *run(programs, name), sep="\n")
