"""Rotations of activations: a product of butterfly factors with orthogonal blocks."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from skfact._checks import positive_int
from skfact.operators import FactorizedOperator
from skfact.torch._dense import check_linear, numbers_of
from skfact.torch._input import as_one_node, check_device, check_like, check_rows
from skfact.torch._layers import KroneckerProduct
from skfact.torch._numbers import Copies, Numbers
from skfact.torch._product import in_loops, in_operations
from skfact.torch._ways import autocast_dtype, is_followed, is_ordinary


class OrthogonalButterfly(nn.Module):
    r"""Trainable orthogonal map: a product of butterfly factors with orthogonal blocks.

    Each factor has the pattern (a, b, b, d) with b = `block_size`, so that it consists of n / b
    rotations in b dimensions. It starts at the identity.

    Parameters
    ----------
    n : int
        Number of inputs and of outputs.
    block_size : int, default=4
        Side of the blocks, which divides `n`.
    n_factors : int, default=2
        Number of factors. Those of stride 1, b, :math:`b^2`, ... come first, as far as these
        divide n / b; the nearest smaller divisor takes the place of one that does not.
    device : torch.device or str, default=None
        Where the parameters are.
    dtype : torch.dtype, default=None
        Their dtype, a real one.

    Attributes
    ----------
    angles : torch.nn.ParameterList
        For each factor, in the order of the product, the entries (n / b, b (b - 1) / 2) above the
        diagonals of skew-symmetric matrices A; the blocks are their Cayley transforms
        :math:`(I - A) (I + A)^{-1}`.
    patterns : tuple of tuple of int
        Pattern (a, b, b, d) of each factor.

    Raises
    ------
    TypeError
        If a number is no int, or `dtype` is not a real one.
    ValueError
        If `n` is 1, `block_size` is less than 2 or does not divide `n`, or if there is more than
        one factor with a single block, whose product is one such factor.

    See Also
    --------
    FactorizedLinear : Trainable factors without constraints.

    Notes
    -----
    Put in front of a frozen linear layer it trains a multiplicative correction of its weight with
    n (b - 1) / 2 numbers for each factor, as orthogonal fine-tuning with butterfly factors (BOFT)
    does. Here the activations are rotated, and no matrix of the size of the weight is made; after
    the training, `merge` makes one layer of both.

    The map is orthogonal up to rounding whatever the parameters are. Rotations by 180 degrees are
    the limit of infinite parameters.

    References
    ----------
    Liu et al., "Parameter-efficient orthogonal finetuning via butterfly factorization", ICLR 2024.

    Examples
    --------
    >>> import torch
    >>> from skfact.torch import OrthogonalButterfly
    >>> linear = torch.nn.Linear(64, 10).requires_grad_(False)
    >>> rotation = OrthogonalButterfly(64, block_size=4, n_factors=3)
    >>> network = torch.nn.Sequential(rotation, linear)
    >>> sum(p.numel() for p in network.parameters() if p.requires_grad)
    288
    >>> rotation.merge(linear)
    Linear(in_features=64, out_features=10, bias=True)
    """

    def __init__(
        self,
        n: int,
        block_size: int = 4,
        n_factors: int = 2,
        *,
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        n, b = positive_int(n, "n"), positive_int(block_size, "block_size")
        count = positive_int(n_factors, "n_factors")
        if n == 1:
            raise ValueError("n must be at least 2, got 1: one number cannot be rotated.")
        if b < 2 or n % b:
            sides = [side for side in range(2, min(n, 64) + 1) if n % side == 0]
            raise ValueError(
                f"block_size must divide n = {n} and be at least 2, got {b}; possible are "
                f"{', '.join(map(str, sides)) or n}."
            )
        if dtype is not None and not getattr(dtype, "is_floating_point", False):
            raise TypeError(
                f"dtype must be a real one of PyTorch, such as torch.float32, got {dtype!r}."
            )
        if n == b and count > 1:
            raise ValueError(
                f"{count} factors with one block of side {b} make no more than one of them does: "
                "pass n_factors=1, or a smaller block_size."
            )
        super().__init__()
        self.n = n
        self.patterns = tuple((n // (b * d), b, b, d) for d in strides(n, b, count))
        shape = n // b, b * (b - 1) // 2
        self.angles = nn.ParameterList(
            torch.zeros(shape, device=device, dtype=dtype) for _ in self.patterns
        )
        self._known: tuple[Copies, Numbers] | None = None

    def forward(self, input: Tensor) -> Tensor:
        """Rotate rows.

        Parameters
        ----------
        input : tensor of shape (..., n)
            The rows, of the dtype of the parameters and on their device. Named as nn.Linear names
            them.

        Returns
        -------
        tensor of shape (..., n)
            Their images, of the same norms.

        Raises
        ------
        TypeError
            If input is no tensor, or of another dtype.
        ValueError
            If its last dimension is not `n`, or it is on another device.
        """
        X = input
        if not isinstance(X, Tensor):
            rotated: Tensor = as_one_node(self, X)
            return rotated
        check_rows(X, self.n)
        if (dtype := autocast_dtype(X)) is not None:
            check_device(X, [*self.angles], "rotation")
            return in_operations(X.to(dtype), self._layers())
        check_like(X, [*self.angles], "rotation")
        if is_followed() or not all(map(is_ordinary, (X, *self.angles))):
            return in_operations(X, self._layers())
        return in_loops(X, self._numbers())

    def _layers(self) -> list[list[Any]]:
        return [[Rotations(angles, pattern) for angles, pattern in zip(self.angles, self.patterns)]]

    def _numbers(self) -> Numbers:
        """The blocks, which are made again if their angles have changed or need gradients."""
        if torch.is_grad_enabled() and any(angles.requires_grad for angles in self.angles):
            return Numbers(self._layers())
        if self._known is None or not self._known[0].are_current():
            copies = Copies(
                [(self.angles, name) for name in self.angles._parameters], [*self.angles]
            )
            self._known = copies, Numbers(self._layers())
        return self._known[1]

    def to_operator(self) -> FactorizedOperator:
        """Make an operator of the factors as they are now.

        Returns
        -------
        FactorizedOperator of shape (n, n)
            The orthogonal map, with NumPy factors.
        """
        (layers,) = self._layers()
        return FactorizedOperator(
            layer.factor({"weight": numbers_of(layer.weight, "rotation")}) for layer in layers
        )

    def merge(self, linear: nn.Linear) -> nn.Linear:
        """Make one layer of this one and a linear layer after it.

        Parameters
        ----------
        linear : torch.nn.Linear
            The layer that the rotated rows go to, with `n` inputs; it stays as it is.

        Returns
        -------
        torch.nn.Linear
            A layer that does both.

        Raises
        ------
        TypeError
            If `linear` is another module, or its weight is quantized or in half precision.
        ValueError
            If it has another number of inputs, or hooks.
        """
        check_linear(linear, "linear")
        if linear.in_features != self.n:
            raise ValueError(
                f"linear must have in_features = {self.n}, those of the rotation, got "
                f"{linear.in_features}."
            )
        weight = linear.weight.detach()
        rotated = self.to_operator().astype(str(weight.dtype).rsplit(".")[-1]).T
        merged = nn.Linear(
            self.n,
            linear.out_features,
            linear.bias is not None,
            device=weight.device,
            dtype=weight.dtype,
        )
        with torch.no_grad():
            merged.weight.copy_(torch.from_numpy(rotated.apply(numbers_of(weight))))
            if linear.bias is not None:
                merged.bias.copy_(linear.bias)
        return merged.train(linear.training)

    def extra_repr(self) -> str:
        """Size, and patterns of the factors.

        Returns
        -------
        str
            What `repr` shows.
        """
        return f"n={self.n}, patterns={self.patterns}"

    def __getstate__(self) -> dict[str, Any]:
        return {name: part for name, part in self.__dict__.items() if name != "_known"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._known = None


class Rotations(KroneckerProduct):
    """A factor with orthogonal blocks, made of their angles (n / b, b (b - 1) / 2) for one call."""

    _parameters: dict[str, Any] = {}
    _buffers: dict[str, Any] = {}
    _forward_pre_hooks = _forward_hooks = _backward_pre_hooks = _backward_hooks = ()

    def __init__(self, angles: Tensor, pattern: tuple[int, int, int, int]) -> None:
        a, b, _, d = pattern
        self.weight = cayley(angles, b).reshape(a, d, b, b)

    __call__ = KroneckerProduct.forward


def cayley(angles: Tensor, b: int) -> Tensor:
    """Rotations (..., b, b) of the entries (..., b (b - 1) / 2) above skew-symmetric diagonals.

    (I - A) (I + A)^-1 is 2 (I + A)^-1 - I: the inverse is never larger than 1, and its derivative
    needs two products.
    """
    wide = angles.float() if angles.dtype in (torch.float16, torch.bfloat16) else angles
    rows, columns = torch.triu_indices(b, b, 1, device=angles.device)
    identity = torch.eye(b, dtype=wide.dtype, device=wide.device)
    above = wide.new_zeros((*wide.shape[:-1], b * b)).index_copy(-1, rows * b + columns, wide)
    skew = above.unflatten(-1, (b, b))
    inverse = torch.linalg.inv(identity + skew - skew.mT)
    return (2 * inverse - identity).to(angles.dtype)


def strides(n: int, b: int, n_factors: int) -> list[int]:
    """Strides 1, b, b^2, ... of factors with blocks of side b; or divisors of n / b below these."""
    found: list[int] = []
    for l in range(n_factors):
        wanted = b ** (l % max(1, round(math.log(n, b))))
        found.append(max(d for d in range(1, min(wanted, n // b) + 1) if n // b % d == 0))
    return found
