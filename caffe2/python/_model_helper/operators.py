"""The operators that a model creates without a word: all else that they need are their inputs."""

from __future__ import annotations

KNOWN_OPERATORS = tuple(
    """
    Accuracy Adam Add Adagrad SparseAdagrad Adadelta SparseAdadelta AveragedLoss Cast Checkpoint ConstantFill Copy
    CopyGPUToCPU CopyCPUToGPU DequeueBlobs EnsureCPUOutput ExpandDims Flatten FlattenToVec LabelCrossEntropy
    LearningRate MakeTwoClass MatMul NCCLAllreduce NHWC2NCHW PackSegments Print PRelu ReduceFrontSum Scale
    ScatterWeightedSum Sigmoid SortedSegmentSum Snapshot Softmax SoftmaxWithLoss SquaredL2Distance Squeeze StopGradient
    Summarize Tanh Transpose UnpackSegments WeightedSum YellowFin
    """.split()
)
