"""Reductions over dimensions, and their gradients.

X, data: of any shape.
Y, reduced: the shape of the input without the dimensions that are reduced, or with 1 there.
average: the mean instead of the sum.
num_reduce_dim: how many dimensions are reduced.
axes: the dimensions to reduce; all unless given.
keepdims: each of them is kept, with one element.
"""
