"""Decoders: the best sequences of labels, read off their probabilities or scores step by step."""
