"""Behind caffe2.python.memonger: when blobs are needed, which may share a name, and what that saves."""
