"""Behind caffe2.python.core: blob references, operators, gradients, nets, steps and plans."""
