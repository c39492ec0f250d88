"""Choosing elements at random."""
