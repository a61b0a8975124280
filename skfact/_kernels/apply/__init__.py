"""Applying one Kronecker-sparse factor to a batch of vectors."""

from .generic import apply_factor

__all__ = ["apply_factor"]
