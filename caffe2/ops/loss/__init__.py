"""Losses: how far predictions are from what they should be.

order: accepted; the order is NCHW.
"""
