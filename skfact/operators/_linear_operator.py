"""Operators for the iterative solvers of SciPy and CuPy."""

from __future__ import annotations

from typing import Any

from scipy.sparse.linalg import LinearOperator

from skfact._backend import is_cupy_namespace
from skfact._inputs import is_numpy


class _Products:
    """The products of a LinearOperator in terms of `operator`: each one is one batched product."""

    def __init__(self, operator: Any) -> None:
        self.operator = operator
        super().__init__(operator.dtype, operator.shape)  # type: ignore[call-arg]

    def _matvec(self, x: Any) -> Any:
        return self.operator.matvec(x.reshape(-1))

    def _rmatvec(self, x: Any) -> Any:
        return self.operator.rmatvec(x.reshape(-1))

    def _matmat(self, X: Any) -> Any:
        return self.operator.matmat(X)

    def _rmatmat(self, X: Any) -> Any:
        return self.operator.rmatmat(X)

    def _adjoint(self) -> Any:
        return type(self)(self.operator.H)

    def _transpose(self) -> Any:
        return type(self)(self.operator.T)


class FactorizedLinearOperator(_Products, LinearOperator):
    """SciPy's view of a :class:`FactorizedOperator`, kept as `operator`.

    Parameters
    ----------
    operator : FactorizedOperator
        An operator with NumPy factors.
    """


def linear_operator(operator: Any) -> Any:
    """The LinearOperator of SciPy or CuPy, whichever goes with the operator's factors."""
    if is_numpy(operator._xp):
        return FactorizedLinearOperator(operator)
    if not is_cupy_namespace(operator._xp):
        raise TypeError(
            "aslinearoperator serves the solvers of SciPy and CuPy, but the operator's factors are "
            f"of {operator._xp.__name__.split('.')[-1]}: use operator.to_device('numpy')."
        )
    from cupyx.scipy.sparse.linalg import LinearOperator as CupyLinearOperator

    class CupyFactorizedLinearOperator(_Products, CupyLinearOperator):
        """CuPy's view of a :class:`FactorizedOperator`."""

    return CupyFactorizedLinearOperator(operator)
