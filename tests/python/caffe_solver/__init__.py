"""Trainings of Caffe solvers, held to a training loop in NumPy that is written by hand."""
