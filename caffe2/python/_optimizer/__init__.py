"""Behind caffe2.python.optimizer: one family of optimizers a file, and what they share."""
