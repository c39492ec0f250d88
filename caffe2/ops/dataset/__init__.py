"""Datasets: tables whose columns may be nested lists, as flat tensors with lengths, read row by row."""
