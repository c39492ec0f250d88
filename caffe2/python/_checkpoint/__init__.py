"""Behind caffe2.python.checkpoint: jobs, and managers that save and load the blobs of nodes."""
