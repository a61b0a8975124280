"""What PALM and training ask of the set of a factor, and how a support finds its set.

A set holds no numbers. The values of a factor are an array whose form its set knows, and the factor
is a linear function of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from functools import singledispatch
from typing import Any

import numpy as np

from skfact._backend import array_namespace, device, move_like
from skfact._linalg import adjoint


class FactorSet(ABC):
    """The matrices that one factor of a product may be.

    What is written here holds for linear sets, whose product with a matrix is the dense one.
    """

    is_linear = True
    has_model = False  # whether its values are in a set that only projections keep them in
    values_are_entries = True  # whether each value is one entry of the factor
    keeps_scaled_columns = False  # whether a factor in the set times a diagonal matrix is in it

    def __init__(
        self, shape: tuple[int, int], values_shape: tuple[int, ...], fan: float | None = None
    ) -> None:
        self.shape, self.values_shape = shape, values_shape
        # inputs that an output sees: their number is the variance of a random start
        self.fan = float(shape[1] if fan is None else fan)

    @property
    @abstractmethod
    def T(self) -> FactorSet:
        """The set of the transposed factors."""

    @abstractmethod
    def transposed(self, values: Any) -> Any:
        """Values of the transpose, in the set `T`."""

    @abstractmethod
    def dense(self, values: Any) -> Any:
        """The factor as a matrix."""

    @abstractmethod
    def restrict(self, matrix: Any) -> Any:
        """The adjoint of `dense`: entries on a support, sums over entries that are tied."""

    def times(self, values: Any, X: Any) -> Any:
        """The factor times a matrix (n_in, batch)."""
        return self.dense(values) @ X

    def adjoint_times(self, values: Any, X: Any) -> Any:
        """The adjoint of the factor times a matrix (n_out, batch)."""
        return adjoint(self.dense(values)) @ X

    def correlate(self, P: Any, R: Any) -> Any:
        """``restrict(P @ R^H)``, for P of shape (n_out, batch) and R of shape (n_in, batch)."""
        return self.restrict(P @ adjoint(R))

    def solve_gram(self, values: Any) -> Any:
        """Values v with ``restrict(dense(v))`` as given: themselves where no entries are tied."""
        return values

    def coordinates(self, matrix: Any) -> Any:
        """Values of the nearest matrix in the linear span of the set."""
        return self.solve_gram(self.restrict(matrix))

    def identity(self, like: Any) -> Any:
        """Values nearest to the identity, in the library of `like`; ones where these are zero."""
        xp = array_namespace(like)
        values = self.coordinates(xp.eye(*self.shape, dtype=like.dtype, device=device(like)))
        return values if self.norm(values) > 0 else xp.ones_like(values)

    def project(self, values: Any) -> Any:
        """The nearest values within the set."""
        return values

    def candidates(self, moved: Any) -> Iterator[Any]:
        """Values in the set near those of a step, each on another support."""
        yield self.project(moved)

    def drawn(self, matrix: Any, random: np.random.RandomState) -> Any:
        """The matrix that a random start is nearest to, for one of normal entries."""
        return matrix

    def proposals(self, moved: Any, old: Any) -> Iterator[Any]:
        """Values in the set for a step from `old` to `moved`, the best first."""
        yield self.project(moved)

    def scale_columns(self, values: Any, sizes: Any) -> Any:
        """The factor times a diagonal matrix; for sets that `keeps_scaled_columns`."""
        raise NotImplementedError

    def entries(self, values: Any) -> Any:
        """An array with every entry of the factor that may be non-zero, once."""
        return values

    def norm(self, values: Any) -> float:
        """Frobenius norm of the factor."""
        return float(array_namespace(values).linalg.vector_norm(self.entries(values)))

    def unit(self, values: Any) -> Any:
        """Values of the factor over its norm; zero stays zero."""
        norm = self.norm(values)
        return values / norm if norm > 0 else values

    def factors(self, values: Any, like: Any) -> list[Any]:
        """The factor as those of an operator in the library and on the device of `like`."""
        return [move_like(self.dense(values), like)]

    def check(self, like: Any, name: str) -> None:  # noqa: B027
        """Raise ValueError unless what a user wrote works in the library of `like`."""


class DenseSet(FactorSet):
    """A set whose values are the matrix."""

    keeps_scaled_columns = True

    def __init__(self, shape: tuple[int, int]) -> None:
        super().__init__(shape, shape)

    def transposed(self, values: Any) -> Any:
        return array_namespace(values).matrix_transpose(values)

    def dense(self, values: Any) -> Any:
        return values

    def restrict(self, matrix: Any) -> Any:
        return matrix

    def scale_columns(self, values: Any, sizes: Any) -> Any:
        return values * sizes[None, :]


def factors_of(sets: Sequence[FactorSet], values: Sequence[Any], like: Any) -> list[Any]:
    """The factors of a product as those of an operator on arrays like `like`."""
    return [factor for one, value in zip(sets, values) for factor in one.factors(value, like)]


@singledispatch
def factor_set(support: Any, shape: tuple[int, int]) -> FactorSet:
    """The set of the factors of a shape with a support; each kind of support registers its own."""
    raise TypeError(f"{type(support).__name__} is no kind of support.")


def is_support(value: Any) -> bool:
    """Whether the value is of a kind of support that is known."""
    return factor_set.dispatch(type(value)) is not factor_set.dispatch(object)
