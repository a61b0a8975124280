"""When the factors are determined by their product (arXiv 2110.01235)."""
