"""Factorization with fixed supports, and what its answer is worth."""

from skfact.fixed_support._completion import complete_rank_one, is_closable

__all__ = ["complete_rank_one", "is_closable"]
