"""Training as Caffe's solvers do it: a solver and its nets become nets of operators that compute, update and test.

    read_training(solver, weights=(), snapshot=None) -> Training     the solver and its nets, checked, with weights
    LearningNet(net, custom)                                         a net translated so that it can be trained
    update_nets(solver, params, snapshot)                            the operators of a solver's step
    write_weights, write_state                                       .caffemodel and .solverstate files

Gradients are generated from the operators' definitions, and the loop is run, by `caffe2.python.caffe_translator`.
"""

from caffe2.bridge.caffe.training.files import write_state, write_weights
from caffe2.bridge.caffe.training.nets import Learned, LearningNet
from caffe2.bridge.caffe.training.solver import Training, read_training
from caffe2.bridge.caffe.training.update import Update, update_nets

__all__ = [
    "Learned",
    "LearningNet",
    "Training",
    "Update",
    "read_training",
    "update_nets",
    "write_state",
    "write_weights",
]
