"""Behind caffe2.python.workspace: blobs, nets, plans and devices of the current workspace."""
