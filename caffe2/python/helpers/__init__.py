"""The functions behind caffe2.python.brew, by family."""
