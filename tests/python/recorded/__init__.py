"""Nets recorded from the original, and the programs that make them."""
