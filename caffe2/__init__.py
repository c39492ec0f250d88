"""Caffe2: nets of operators over named blobs, as static programs, on PyTorch's tensors."""
