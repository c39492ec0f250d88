"""Behind caffe2.python.data_parallel_model: replicas of a model on several devices, kept alike."""
