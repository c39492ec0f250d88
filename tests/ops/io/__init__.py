"""Tests of operators that read and write files."""
