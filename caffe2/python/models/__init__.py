"""Models: residual and shuffle networks, and pretrained ones from the model zoo."""
