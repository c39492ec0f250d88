"""Operators on quantized tensors.

A quantized tensor (a blob of the class Int8Tensor) holds bytes q with one scale and one zero point for all, and stands
for the numbers scale * (q - zero point). Engines of the DNNLOWP family also take float tensors where an operator wants
quantized ones; they quantize them first, to the scale and zero point that let the bytes 0 .. 255 span their values and
0.

X, A, B, data, input, inputs, DATA, qX: a quantized tensor.
Y, C, output: a quantized tensor.
order: NCHW: channels before the spatial axes; NHWC: after them.
INDICES: any shape; rows of DATA, counted from 0.
"""
