"""Behind caffe2.python.task: nodes, what runs before and after, and outputs."""
