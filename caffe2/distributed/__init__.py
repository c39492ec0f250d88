"""Stores that processes of a distributed run share."""
