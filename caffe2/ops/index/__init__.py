"""Operators that pick, place, find, sort and mask elements and rows by index.

DATA, data: (M, ...).
lengths, LENGTHS: (S): how many rows, or elements, each segment has, one segment after the other.
"""
