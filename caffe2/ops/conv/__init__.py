"""Convolutions and their relatives."""
