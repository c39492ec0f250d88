"""Small nets and plans for the tests of the runtime."""

from caffe2.opdef import make_argument
from caffe2.proto import caffe2_pb2


def operator(kind, inputs="", outputs="", **args):
    """operator("FC", "X W b", "Y", axis=1)"""
    made = caffe2_pb2.OperatorDef(type=kind, input=inputs.split(), output=outputs.split())
    made.arg.extend(make_argument(name, value) for name, value in args.items())
    return made


def net(name, *ops, kind="simple", workers=0):
    return caffe2_pb2.NetDef(name=name, op=ops, type=kind, num_workers=workers)


def step(name="step", *substeps, nets="", **fields):
    return caffe2_pb2.ExecutionStep(name=name, substep=substeps, network=nets.split(), **fields)


def plan(nets, *steps):
    return caffe2_pb2.PlanDef(name="plan", network=nets, execution_step=steps)
