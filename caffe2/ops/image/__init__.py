"""Operators on batches of images.

order: NCHW: channels before the spatial axes; NHWC: after them.
block_size: B, the side of a block.
pad: how many rows and columns are added at each side.
pad_t: how many rows are added at the top, if not `pad`.
"""
