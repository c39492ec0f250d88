"""Tables of embeddings quantized row by row: q = round((x - bias) / scale), with a scale and a bias for every row.

A fused row holds in bytes, one after another, the q, the scale and the bias:

    8 bits          q0 q1 q2 ...                       scale, bias float32 (or float16: half scale and bias)
    4 bits          q0 + 16 q1, q2 + 16 q3 ...         scale, bias float16
    2 bits          q0 + 4 q1 + 16 q2 + 64 q3, ...     scale, bias float16

with bias = min x and scale = (max x - min x) / (2^bits - 1). Numbers are little-endian.
Guan et al., Post-Training 4-bit Quantization on Embedding Tables, 2019.

INDICES: (N): rows of the table, counted from 0.
LENGTHS: (S): how many indices each segment has, one segment after the other; they add up to N.
WEIGHTS, SCALARS: (N): a factor for the row of each index.
COMPRESSED_INDICES_MAPPING: for every row of the table before it was pruned its row in DATA, or -1 where it is gone,
    which counts as a row of zeros; a single 0: INDICES are rows of DATA.
output: (S, K), float32: a row for each segment; 0 for an empty one.
"""
