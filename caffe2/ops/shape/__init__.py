"""Operators on shapes: the same elements under another shape or order, and questions about shapes.

X, data, input, tensor: of any shape.
"""
