"""A chain of small blocks as it is: images, squared error, gradients (generic: deep_linear).

Unlike `apply` nothing is put in another order first, which pays while the numbers change.
"""

from skfact._kernels.chain_gradient.dispatch import (
    Selections,
    loops_pay,
    loss_and_gradient,
    map_rows,
    pays,
    pull_back_rows,
)

__all__ = ["Selections", "loops_pay", "loss_and_gradient", "map_rows", "pays", "pull_back_rows"]
