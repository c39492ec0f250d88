"""The public face: every module that programs written for Caffe2 import, under its historical name."""
