"""Pairs of supports: masks, families, rank-one supports."""
