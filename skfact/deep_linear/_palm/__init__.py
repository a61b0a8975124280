"""PALM4MSA: proximal alternating steps for a product of factors within sets."""
