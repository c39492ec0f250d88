"""Operators across processes and across devices: worlds, collectives, messages.

comm_world: the world of processes, as CreateCommonWorld made it.
X, X0, X1, X2, X3, X4, X5, X6, X7, X8, X9, X10, X11, X12, X13, X14, X15: tensors of one shape and element type.
Y, Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7, Y8, Y9, Y10, Y11, Y12, Y13, Y14, Y15: as many as there are inputs.
root: the number, from 0 on, of the process, or of the input, that is told apart.
tag: a number that tells messages apart.
"""
