"""Sums over paths through one layer: a vector times the powers of a matrix's magnitudes."""

from skfact._kernels.paths.dispatch import power_product
from skfact._kernels.paths.generic import magnitude_power

__all__ = ["magnitude_power", "power_product"]
