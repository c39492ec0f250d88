"""Behind caffe2.python.pipeline: what processes records, and what is in the task that does."""
