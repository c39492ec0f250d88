"""Operators with the arithmetic of BVLC Caffe's layers, where Caffe2 has none of its own."""
