"""Supports with a closed form, and that form (arXiv 2112.00386)."""
