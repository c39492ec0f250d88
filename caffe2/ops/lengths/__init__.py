"""Operators on ragged rows: forms of lengths, padding and packing of segments, embeddings in tensor-train form."""
