"""Kept for programs that import it; it holds nothing."""
