"""Parameters of models, and passes that add operators to nets under construction."""
