"""Operators that put tensors together and take them apart.

inputs: tensors that agree in all dimensions but the one they are joined along.
concat_result: of that dimension the sum of those of the inputs.
split_info: int32, in host memory: the dimension of each input along the axis.
axis: the dimension; a negative one counts from the end.
order: NCHW or NHWC: the axis, where that is not given, is that of the channels.
starts, ends: where the box begins and ends along each dimension: arguments or blobs; the blobs come before the
    arguments.
"""
