"""Operators across processes and across devices: worlds, collectives, messages."""
