"""Tests of the operators on datasets."""
