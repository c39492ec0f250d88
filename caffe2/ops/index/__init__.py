"""Operators that pick, place, find, sort and mask elements and rows by index."""
