"""Operators that ONNX cannot say, and what to do about them."""

from __future__ import annotations

LOSS = "a loss is for training; take it out of the net, and deploy what it is computed of"
DATA = "it reads files; let the net begin with an input"

REFUSED = {
    **dict.fromkeys(
        (
            "AveragedLoss",
            "CaffeContrastiveLoss",
            "CaffeEuclideanLoss",
            "CaffeHingeLoss",
            "CaffeInfogainLoss",
            "CaffeMultinomialLogisticLoss",
            "CaffeSigmoidCrossEntropyLoss",
            "CaffeSmoothL1Loss",
            "CaffeSoftmaxWithLoss",
            "CrossEntropy",
            "LabelCrossEntropy",
            "SoftmaxWithLoss",
        ),
        LOSS,
    ),
    **dict.fromkeys(("Accuracy", "CaffeAccuracy"), "it judges a net by labels; take it out, and deploy the net alone"),
    **dict.fromkeys(("CaffeData", "CaffeHDF5Data", "CaffeImageData", "ImageInput"), DATA),
    "CaffeHDF5Output": "it writes files; take it out, and let its inputs be outputs of the net",
}
