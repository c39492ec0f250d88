"""Behind caffe2.python.layer_model_helper: models of layers, and their constants, outputs and training."""
