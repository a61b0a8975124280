"""What every operator shares: algebra, products, parts, norms, and how it stays as it is."""
