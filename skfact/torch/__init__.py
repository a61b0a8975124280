"""PyTorch modules whose weights are products of sparse factors: layers, and layers in their place.

Importing this imports PyTorch (extra ``torch``).
"""

from skfact.torch._linear import FactorizedLinear
from skfact.torch._load import load_factorized
from skfact.torch._orthogonal import OrthogonalButterfly
from skfact.torch._replace import replace_linear_layers

__all__ = [
    "FactorizedLinear",
    "OrthogonalButterfly",
    "load_factorized",
    "replace_linear_layers",
]
