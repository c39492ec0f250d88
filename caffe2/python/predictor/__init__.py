"""Models exported for prediction, and read back."""
