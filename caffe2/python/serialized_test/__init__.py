"""Tests whose results are recorded once, and compared with the records from then on."""
