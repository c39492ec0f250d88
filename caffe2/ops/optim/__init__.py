"""Operators that train: iteration counters, learning rates, and the updates of parameters."""
