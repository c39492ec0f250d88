"""Collectives over gloo."""
