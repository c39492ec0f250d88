"""Behind caffe2.python.regularizer: penalties and constraints, one kind a file."""
