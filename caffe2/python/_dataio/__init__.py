"""Behind caffe2.python.dataio: what readers and writers do, and readers over other readers."""
