"""Normalizations.

order: NCHW: channels are the second dimension; NHWC: the last.
epsilon: is added to the variance.
"""
