"""Operators that train: iteration counters, learning rates, and the updates of parameters.

param, var, w: the parameter, of any shape; in the sparse forms (M, ...), of which rows are updated.
grad: the gradient, of the shape of the parameter; in the sparse forms (N, ...), a row for each of indices.
indices: (N): rows of the parameter, counted from 0; a row that is named several times is updated as often, in order.
lr: the learning rate, one number. Parameters are updated by adding lr times a step along grad, so it is negative.
iter: the iteration, one number.
moment, moment_1: the state of the optimizer, of the shape of the parameter, 0 at the start.
moment_2: further state of the optimizer, of the shape of the parameter, 0 at the start.
moment_delta: the mean of the squares of the steps, of the shape of the parameter, 0 at the start.
mean_squares: the mean of the squares of the gradients, of the shape of grad.
n_z: the state of the optimizer, of the shape of the parameter with a last dimension of 2: n and z of each element.
output_param, output_var: the parameter, updated.
output_moment, output_moment_1: moment, or moment_1, updated.
output_moment_2: moment_2, updated.
output_moment_delta: moment_delta, updated.
output_mean_squares: mean_squares, updated.
output_momentum: momentum, updated.
output_n_z: n_z, updated.
epsilon: a small positive number that keeps divisors away from 0, see the formula.
decay: the weight of the past in a moving average, 0 .. 1.
weight_decay: so many times param is added to grad first.
momentum: the weight of the moment before.
nesterov: whether the gradient is Nesterov's accelerated one.
norm: the Euclidean norm.
"""
