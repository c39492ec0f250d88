"""Linear maps: fully connected layers and products of matrices."""
