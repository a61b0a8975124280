"""Ready-made fast operators: rotations, and random projections."""

from skfact.transforms._projection import FastRandomProjection
from skfact.transforms._rotation import random_rotation

__all__ = ["FastRandomProjection", "random_rotation"]
