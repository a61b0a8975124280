"""Parameters up to rescalings: their rank-one tensors, distances, and bounds between the two."""
