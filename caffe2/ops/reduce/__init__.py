"""Reductions over dimensions, and their gradients."""
