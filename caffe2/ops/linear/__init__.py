"""Linear maps: fully connected layers and products of matrices.

axis: where the columns of X begin, counted in its dimensions.
axis_w: where the columns of W begin.
axis_a: where the columns of A begin.
axis_b: where the columns of B begin.
float16_compute: accepted and ignored: products of float16 are summed in float32.
"""
