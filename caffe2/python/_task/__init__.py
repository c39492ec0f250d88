"""Behind caffe2.python.task: clusters of nodes, tasks on them, groups of tasks, and their outputs."""
