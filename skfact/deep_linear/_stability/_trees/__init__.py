"""Trees of sparse circular convolutions."""
