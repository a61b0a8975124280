"""Networks as all functions see them: readers, layers, graphs, passes."""
