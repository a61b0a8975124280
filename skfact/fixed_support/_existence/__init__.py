"""Whether an optimum exists: closed sets of products, and diverging factors (arXiv 2306.02666)."""
