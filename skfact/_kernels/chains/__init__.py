"""Chains through a lattice of nodes: the cheapest ones, the best of three factors, ranks to fit."""

from skfact._kernels.chains.dispatch import best_pairs, cheapest, fit_ranks
from skfact._kernels.chains.generic import Places

__all__ = ["Places", "best_pairs", "cheapest", "fit_ranks"]
