"""What NumPy may do with an operator or a factor: algebra, and never make it an array."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

# NumPy calls the ufunc for what Python writes as @, *, + and -
ALGEBRA = {
    np.matmul: ("__matmul__", "__rmatmul__"),
    np.multiply: ("__mul__", "__rmul__"),
    np.add: ("__add__", "__radd__"),
    np.subtract: ("__sub__", "__rsub__"),
}


class NoArrayError(TypeError, ValueError):
    """Also what scikit-learn's searches expect of values that make no array."""


class NoArray:
    """Refuses to become an array, which would be one of objects or take the memory of all entries.

    SciPy's sparse arrays become arrays of objects, and then fail far away.
    """

    __slots__ = ()
    _instead = "pass its toarray(), or make an operator of it, FactorizedOperator([factor])"

    def __array__(self, dtype: Any = None, copy: Any = None) -> NoReturn:
        raise NoArrayError(
            f"{type(self).__name__} is no array, and is not made one silently: {self._instead}."
        )

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method == "__call__" and len(inputs) == 2 and not kwargs:
            left, right = inputs
            if ufunc in (np.equal, np.not_equal):  # objects, not entries, are compared
                return (left is right) == (ufunc is np.equal)
            direct, reflected = ALGEBRA.get(ufunc, ("", ""))
            method, other = (direct, right) if left is self else (reflected, left)
            result = getattr(self, method, lambda _: NotImplemented)(other)
            if result is not NotImplemented:
                return result
        return self.__array__()
