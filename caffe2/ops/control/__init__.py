"""Control flow: nets within operators."""
