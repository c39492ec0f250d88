"""Operators that make tensors from nothing: constants, given values, random numbers."""
