"""Reductions of segments: a table of reducers and ways to cut rows into segments, with their gradients.

DATA: (M, ...): rows.
INDICES: (N): rows of DATA, counted from 0; row k is then DATA[INDICES[k]].
LENGTHS: (S): how many rows each segment has, one segment after the other; they add up to the number of rows.
SEGMENT_IDS: the number of the segment of each row, from 0 on.
SCALARS: a factor for each row.
OUTPUT, output: (S, ...), float32: a row for each segment; 0 for an empty one.
dOUTPUT: the gradient of OUTPUT, (S, ...).
dDATA: the gradient of DATA; with INDICES, of the rows that these name, one for each.
dSCALARS: the gradient of SCALARS.
grad_on_weights: whether SCALARS get a gradient too.
num_segments: S; unless given (-1) it is 1 + the largest id.
num_reduce_dim: how many of the first dimensions are summed over.
"""
