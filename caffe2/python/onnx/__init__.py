"""Caffe2 nets as ONNX models; needs the package onnx: `pip install caffe2[onnx]`."""
