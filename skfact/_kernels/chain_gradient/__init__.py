"""Squared error and gradient of a chain of small blocks (the generic one: deep_linear)."""

from skfact._kernels.chain_gradient.dispatch import loss_and_gradient, pays

__all__ = ["loss_and_gradient", "pays"]
