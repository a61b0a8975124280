"""What is minimized: a distance to a matrix on given supports, weighted, penalized or signed."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from skfact._backend import array_namespace, move_like, to_numpy
from skfact._checks import check_finite, check_number
from skfact._exponents import binary_exponent, times_power_of_two, unscaled_number
from skfact._inputs import as_floating
from skfact._linalg import inner, is_complex, norm2
from skfact.fixed_support._tractable.report import BLOCKWISE, SupportReport
from skfact.supports._masks import Labels, labels_of, order_by

# Which factors, left and right, may not be negative.
POSITIVE: dict[bool | str, tuple[bool, bool]] = {
    False: (False, False),
    "codes": (True, False),
    "components": (False, True),
    True: (True, True),
}


LARGEST = 100  # exponent of a penalty


class Objective(NamedTuple):
    """What the user wants minimized, and over which factors."""

    alpha: float | str = 0.0
    missing_values: float | None = None
    positive: bool | str = False
    entry_weight: Any = None

    def check(self) -> None:
        """Raise unless the options make sense; the weights are looked at beside the matrix."""
        if not (isinstance(self.alpha, str) and self.alpha == "auto"):
            check_finite(self.alpha, "alpha", "auto")
        if self.missing_values is not None:
            is_float = isinstance(self.missing_values, float | np.floating)
            number = 0.0 if is_float else self.missing_values
            check_number(number, "missing_values", float, -math.inf)
        if not isinstance(self.positive, bool | np.bool_ | str):
            raise TypeError(
                "positive must be False, True, 'components' or 'codes', got "
                f"{type(self.positive).__name__}."
            )
        if self.positive not in POSITIVE:
            raise ValueError(
                "positive must be 'components' (the right factor), 'codes' (the left one), True "
                f"(both) or False (none), got {self.positive!r}."
            )

    def beside(self, labels: tuple[Labels, Labels], matrix: str) -> Objective:
        """The same with weights in the order of the labels of the matrix, if these have some."""
        ordered = in_order_of(self.entry_weight, labels, "entry_weight", matrix)
        return self._replace(entry_weight=ordered)


class Problem(NamedTuple):
    """Minimize the sum of weights * |A - X Y|^2, plus alpha (||X||_F^2 + ||Y||_F^2)."""

    A: Any  # (m, n), a floating array; zero where its weight is
    report: SupportReport  # on the supports of X and Y, for matrices of that shape
    alpha: float = 0.0
    weights: Any = None  # (m, n), in the dtype of A, ones and zeros where some are missing
    nonnegative: tuple[bool, bool] = (False, False)  # X, Y
    exponent: int = 0  # even; the weights wanted are these times 2**exponent

    @classmethod
    def of(cls, A: Any, report: SupportReport, objective: Objective, name: str = "A") -> Problem:
        """The problem for a floating matrix, whose finiteness is still to be found out."""
        if A.shape != report.shape:
            raise ValueError(
                f"The supports are for matrices of shape {report.shape} (left_support "
                f"{report.left_support.shape}, right_support {report.right_support.shape}), but "
                f"{name} has shape {tuple(A.shape)}."
            )
        nonnegative = POSITIVE[objective.positive]
        if any(nonnegative) and is_complex(A):
            raise ValueError(
                f"positive={objective.positive!r} is for real matrices, but {name} has dtype "
                f"{A.dtype}: pass positive=False, or its real part."
            )
        weights, A, exponent = weighted_entries(A, objective, name)
        if weights is not None and not bool(array_namespace(A).any(weights != 0)):
            given = "has weight 0" if objective.entry_weight is not None else "is missing"
            raise ValueError(
                f"Every entry of {name} {given}, with missing_values={objective.missing_values!r}: "
                "at least one must be observed."
            )
        if objective.alpha != "auto":
            alpha = float(objective.alpha)
        elif objective.missing_values is None and _all_count(weights):
            alpha = 0.0
        else:
            alpha = noise_level(A, weights, exponent, name)
        return cls(A, report, alpha, weights, nonnegative, exponent)

    def without_closed_form(self) -> str:
        """Why there is no closed form; empty if there is one."""
        if self.weights is not None:
            return "entries are missing, or weighted differently"
        if not self.report.is_tractable:
            return self.report.reason
        if self.alpha and self.report.route != BLOCKWISE:
            return (
                f"with alpha={self.alpha} only disjoint rank-one supports have one, and these "
                "overlap"
            )
        if any(self.nonnegative) and not self._is_nonnegative_rank_one():
            return (
                "with positive factors only disjoint rank-one supports with one component each "
                "have one, for a matrix without negative entries"
            )
        return ""

    def _is_nonnegative_rank_one(self) -> bool:
        """Whether leading singular vectors are best, whose signs can be taken away (Perron)."""
        if self.report.route != BLOCKWISE or any(s.multiplicity > 1 for s in self.report.classes):
            return False
        return bool(array_namespace(self.A).min(self.A) >= 0)

    def norm2(self, rest: Any) -> float:
        """Sum of weights * |rest|^2."""
        if self.weights is None:
            return norm2(rest)
        return inner(rest * self.weights, rest)

    def may_be_ill_posed(self) -> bool:
        """Whether there could be no best factors: neither a penalty nor a closed form forbids it.

        With weights, and signs, the question is another one, which nothing here answers.
        """
        is_plain = self.weights is None and not any(self.nonnegative)
        return is_plain and not (self.alpha or self.report.is_tractable)

    def penalty(self, x: Any, y: Any) -> float:
        """alpha (||X||_F^2 + ||Y||_F^2) of factors as flat vectors."""
        return self.alpha * (norm2(x) + norm2(y)) if self.alpha else 0.0

    def of_ordinary_magnitude(self) -> tuple[Problem, int]:
        """The problem for A / 2**e and these weights, and the even e.

        Raises ValueError if A is not finite.
        """
        exponent = binary_exponent(self.A)
        if not exponent and math.frexp(self.alpha)[1] - self.exponent > LARGEST:
            xp = array_namespace(self.A)
            exponent = math.frexp(float(xp.max(xp.abs(self.A))))[1]
        exponent += exponent % 2  # equal halves for the two factors
        alpha = scaled_penalty(self.alpha, -exponent - self.exponent)
        A = times_power_of_two(self.A, -exponent)
        return self._replace(A=A, alpha=alpha), exponent


def noise_level(A: Any, weights: Any, exponent: int, name: str) -> float:
    """A penalty for missing entries: the median singular value of weights * A, zeros left out.

    A penalty alpha takes alpha from each singular value of a matrix without missing entries, and
    half of them are more than a table has components: they are noise, or come of the zeros in
    place of what is missing. Columns of zeros, and copies of others, have no say.
    """
    binary_exponent(A, name)  # raises ValueError if it is not finite
    A = A if weights is None else A * weights
    xp = array_namespace(A)
    values = to_numpy(xp.linalg.svdvals(A)).astype(float)
    rounding = max(A.shape) * float(xp.finfo(A.dtype).eps) * float(values.max())
    values = values[values > rounding]
    median = float(np.median(values)) if len(values) else 0.0
    return min(unscaled_number(median, exponent), float(np.finfo(float).max))


def _all_count(weights: Any) -> bool:
    """Whether no weight is zero; None stands for ones."""
    return weights is None or bool(array_namespace(weights).all(weights != 0))


def scaled_penalty(alpha: float, exponent: int) -> float:
    """alpha * 2**exponent, but no more than 2**100, beside which numbers up to one are zero."""
    mantissa, own = math.frexp(alpha)
    return math.ldexp(mantissa, min(own + exponent, LARGEST))


def weighted_entries(A: Any, objective: Objective, name: str = "X") -> tuple[Any, Any, int]:
    """Weights in the dtype of A, A with zeros where they are zero, and an even exponent.

    What is wanted are the weights times 2**exponent: these are numbers below 4. None stands for
    ones.
    """
    xp, missing_values, exponent = array_namespace(A), objective.missing_values, 0
    weights = None
    if objective.entry_weight is not None:
        weights, exponent = _checked_weights(objective.entry_weight, A, name)
    if missing_values is not None:
        missing = xp.isnan(A) if math.isnan(missing_values) else missing_values == A
        if bool(xp.any(missing)):
            seen = xp.astype(~missing, A.dtype)
            weights = seen if weights is None else weights * seen
    if weights is None or bool(xp.all(weights == 1)):
        return None, A, exponent
    return weights, xp.where(weights == 0, xp.zeros_like(A), A), exponent


def _checked_weights(entry_weight: Any, A: Any, name: str) -> tuple[Any, int]:
    """Weights as an array like A, scaled to below 4 by a power of 4, and its exponent."""
    found = as_floating(entry_weight, "entry_weight", real=True)
    if tuple(found.shape) != tuple(A.shape):
        raise ValueError(
            f"entry_weight must have the shape of {name}, {tuple(A.shape)}: one weight for each "
            f"entry, got shape {tuple(found.shape)}."
        )
    found, xp = move_like(found, A), array_namespace(A)
    largest = float(xp.max(found))
    if not (math.isfinite(largest) and bool(xp.all(found >= 0))):
        raise ValueError(
            "entry_weight must be finite and not negative, such as 1 / uncertainty**2, and 0 for "
            "an entry that does not count."
        )
    exponent = (math.frexp(largest)[1] - 1) // 2 * 2 if largest else 0
    return xp.astype(times_power_of_two(found, -exponent), A.dtype), exponent


def in_order_of(table: Any, labels: tuple[Labels, Labels], name: str, matrix: str) -> Any:
    """A table; a data frame with its rows and columns in the order of the labels of the matrix."""
    for axis, (own, wanted) in enumerate(zip(labels_of(table), labels, strict=True)):
        order = order_by(own, wanted, name, matrix)
        if order is not None:
            table = np.take(np.asarray(table), order, axis=axis)
    return table
