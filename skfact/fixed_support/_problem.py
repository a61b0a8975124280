"""What is minimized: the distance to a matrix on given supports, with a penalty or missing data."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from skfact._backend import array_namespace
from skfact._exponents import binary_exponent, times_power_of_two
from skfact._linalg import norm2
from skfact.fixed_support._tractable.report import BLOCKWISE, SupportReport


class Problem(NamedTuple):
    """Minimize ||A - X Y||_F^2 over the observed entries, plus alpha (||X||_F^2 + ||Y||_F^2)."""

    A: Any  # (m, n), a floating array; zero where it is not observed
    report: SupportReport  # on the supports of X and Y, for matrices of that shape
    alpha: float = 0.0
    observed: Any = None  # (m, n), ones and zeros in the dtype of A; None is ones

    @classmethod
    def of(
        cls,
        A: Any,
        report: SupportReport,
        alpha: float,
        missing_values: float | None,
        name: str = "A",
    ) -> Problem:
        """The problem for a floating matrix, whose finiteness is still to be found out."""
        if A.shape != report.shape:
            raise ValueError(
                f"The supports are for matrices of shape {report.shape} (left_support "
                f"{report.left_support.shape}, right_support {report.right_support.shape}), but "
                f"{name} has shape {tuple(A.shape)}."
            )
        observed, A = observed_entries(A, missing_values)
        if observed is not None and not bool(array_namespace(A).any(observed != 0)):
            raise ValueError(
                f"Every entry of {name} is missing, that is missing_values={missing_values!r}: at "
                "least one must be observed."
            )
        return cls(A, report, float(alpha), observed)

    def without_closed_form(self) -> str:
        """Why there is no closed form; empty if there is one."""
        if self.observed is not None:
            return "entries are missing"
        if not self.report.is_tractable:
            return self.report.reason
        if self.alpha and self.report.route != BLOCKWISE:
            return (
                f"with alpha={self.alpha} only disjoint rank-one supports have one, and these "
                "overlap"
            )
        return ""

    def may_be_ill_posed(self) -> bool:
        """Whether there could be no best factors: neither a penalty nor a closed form forbids it.

        With missing entries the question is another one, which nothing here answers.
        """
        return not (self.alpha or self.report.is_tractable or self.observed is not None)

    def penalty(self, x: Any, y: Any) -> float:
        """alpha (||X||_F^2 + ||Y||_F^2) of factors as flat vectors."""
        return self.alpha * (norm2(x) + norm2(y)) if self.alpha else 0.0

    def of_ordinary_magnitude(self) -> tuple[Problem, int]:
        """The problem for A / 2**e, and the even e; raises ValueError if A is not finite."""
        exponent = binary_exponent(self.A)
        exponent += exponent % 2  # equal halves for the two factors
        alpha = scaled_penalty(self.alpha, -exponent)
        A = times_power_of_two(self.A, -exponent)
        return self._replace(A=A, alpha=alpha), exponent


def scaled_penalty(alpha: float, exponent: int) -> float:
    """alpha * 2**exponent, but no more than 2**100, beside which ordinary numbers are zero."""
    mantissa, own = math.frexp(alpha)
    return math.ldexp(mantissa, min(own + exponent, 101))


def observed_entries(A: Any, missing_values: float | None) -> tuple[Any, Any]:
    """Ones where A is observed (None if everywhere), and A with zeros elsewhere."""
    if missing_values is None:
        return None, A
    xp = array_namespace(A)
    missing = xp.isnan(A) if math.isnan(missing_values) else missing_values == A
    if not bool(xp.any(missing)):
        return None, A
    return xp.astype(~missing, A.dtype), xp.where(missing, xp.zeros_like(A), A)
