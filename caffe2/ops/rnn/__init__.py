"""Recurrent networks: cells, and nets that run once for every time step."""
