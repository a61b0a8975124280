"""Stable recovery: when factors are determined by their product, and how well."""
