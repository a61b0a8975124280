"""What the weights of a network and its training samples say about new samples."""
