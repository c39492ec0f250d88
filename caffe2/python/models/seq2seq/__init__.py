"""Translation: an encoder of sentences, a decoder that attends to it, and the search for the best sentence."""
