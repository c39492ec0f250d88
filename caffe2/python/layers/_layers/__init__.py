"""Behind caffe2.python.layers.layers: records of ids, parameters, layers, and the names that they go by."""
