"""Operators on ragged rows: forms of lengths, padding and packing of segments, embeddings in tensor-train form.

lengths, LENGTHS: (S): how many rows each segment has, one segment after the other; they add up to N.
data_in: (N, ...).
ITEMS: (N, ...): rows.
padding_width: how many rows of padding stand before every segment.
end_padding_width: how many behind it; as many, if -1.
"""
