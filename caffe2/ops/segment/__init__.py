"""Reductions of segments: a table of reducers and ways to cut rows into segments, with their gradients."""
