"""Irreducibility of a hidden layer: whether the signs of some neurons can be flipped unnoticed.

relu(z) - relu(-z) = z: flipping the signs of the incoming weights and biases of neurons T changes
the next layer's input by sum_T v (w . x + b). Where sum_T v w^T = 0 this is a constant, which the
next bias absorbs. The question is thus whether M x = 0 has a solution x in {0, 1}^n other than
zero, where the columns of M are vec(v w^T). It is NP-hard: with one input and one output it is
subset-sum.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import scipy.linalg
from scipy.optimize import Bounds, LinearConstraint, linprog, milp

# Up to this nullity all 2^nullity assignments of the free columns are tried.
MAX_NULLITY = 18
ASSIGNMENTS_AT_ONCE = 1 << 21  # numbers in a block of assignments
# A Gram matrix whose smallest eigenvalue exceeds this has full rank beyond doubt.
GRAM_IS_REGULAR = 1e-10


@dataclass(frozen=True)
class Irreducibility:
    """The answer for one layer.

    Parameters
    ----------
    answer : bool or None
        Whether the layer is irreducible; None if undetermined.
    reason : str
        Which step decided, or why none could.
    witness : tuple of int
        Neurons whose signs can be flipped together, where the layer is reducible: as few as there
        are, unless time ended the integer program early.
    """

    answer: bool | None
    reason: str
    witness: tuple[int, ...] = ()


def decide_irreducibility(
    incoming: np.ndarray, outgoing: np.ndarray, tol: float, max_size: int, deadline: float
) -> Irreducibility:
    """Climb the ladder: rank, cone, enumeration, integer program.

    Incoming weights w are columns (n_in, n), without biases, which the next bias absorbs; outgoing
    weights v are rows (n, n_out). A sum counts as zero when its norm is at most `tol` times the sum
    of the norms of its terms; singular values when they are at most `tol` times the largest. M has
    at most `max_size` entries; no solver runs after `deadline`, a value of `time.monotonic`.
    """
    n = incoming.shape[1]
    incoming = incoming / (np.abs(incoming).max() or 1.0)  # products stay in range
    outgoing = outgoing / (np.abs(outgoing).max() or 1.0)
    norms = np.linalg.norm(incoming, axis=0) * np.linalg.norm(outgoing, axis=1)
    if not norms.all():
        v = int(np.argmin(norms))
        return Irreducibility(False, "a neuron without incoming or outgoing weights", (v,))
    w = incoming / np.linalg.norm(incoming, axis=0)
    v = outgoing / np.linalg.norm(outgoing, axis=1)[:, None]
    gram = (w.T @ w) * (v @ v.T)  # of the unit columns of M
    if scipy.linalg.eigvalsh(gram, subset_by_index=[0, 0])[0] > GRAM_IS_REGULAR:
        return Irreducibility(True, f"rank: the {n} products v w^T are linearly independent")
    size = w.shape[0] * v.shape[1] * n
    if size > max_size:
        return Irreducibility(
            None,
            f"undetermined: the products v w^T have {size:,} entries ({8 * size:,} bytes), more "
            f"than max_size={max_size:,}: raise it",
        )
    M = np.einsum("iv,vo->iov", w, v).reshape(-1, n)  # unit columns
    _, singular, right = scipy.linalg.svd(M, full_matrices=len(M) < n, lapack_driver="gesvd")
    rank = int((singular > tol * singular[0]).sum())
    if rank == n:
        return Irreducibility(True, f"rank: the {n} products v w^T are linearly independent")
    rows, kernel = singular[:rank, None] * right[:rank], right[rank:].T
    if _cone_is_pointed(rows, tol, deadline):
        return Irreducibility(True, "cone: one matrix has a positive product with every v w^T")
    nullity = n - rank
    if nullity <= MAX_NULLITY:
        witness = _enumerate(M, kernel, norms, tol)
        if witness:
            return Irreducibility(False, "enumeration: a sum of v w^T is zero", witness)
        return Irreducibility(True, f"enumeration: none of 2^{nullity} assignments is a zero sum")
    return _integer_program(M, kernel, norms, tol, deadline)


def _cone_is_pointed(rows: np.ndarray, tol: float, deadline: float) -> bool:
    """Whether some y has y . m > 0 for all columns m: then no sum of columns is zero (Gordan).

    The solver only proposes y; what counts is that the products are positive beyond rounding.
    """
    rank, n = rows.shape
    remaining = deadline - time.monotonic()
    if remaining <= 0:
        return False
    found = linprog(
        np.append(np.zeros(rank), -1.0),  # the smallest product, as large as can be
        A_ub=np.column_stack([-rows.T, np.ones(n)]),
        b_ub=np.zeros(n),
        bounds=[(-1.0, 1.0)] * (rank + 1),
        options={"time_limit": remaining},
    )
    if found.x is None:
        return False
    y = found.x[:rank]
    return bool((y @ rows).min() > max(tol, 1e-9) * np.linalg.norm(y))


def _free_columns(kernel: np.ndarray, norms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Free columns F, and B with x = B x_F for all x in the kernel of M."""
    kernel = kernel / norms[:, None]  # from unit columns to columns v w^T
    kernel = kernel / np.linalg.norm(kernel, axis=0)
    nullity = kernel.shape[1]
    kernel = scipy.linalg.qr(kernel, mode="economic")[0]
    free = scipy.linalg.qr(kernel.T, mode="r", pivoting=True)[1][:nullity]
    return free, np.linalg.solve(kernel[free].T, kernel.T).T


def _is_zero_sum(M: np.ndarray, norms: np.ndarray, chosen: np.ndarray, tol: float) -> bool:
    scale = norms * chosen
    return bool(scale.any() and np.linalg.norm(M @ scale) <= tol * scale.sum())


def _enumerate(M: np.ndarray, kernel: np.ndarray, norms: np.ndarray, tol: float) -> tuple[int, ...]:
    """A smallest zero sum, or nothing; all assignments of the free columns are tried."""
    free, basis = _free_columns(kernel, norms)
    n, nullity = basis.shape
    slack = max(1e-6, tol)
    step = max(1, ASSIGNMENTS_AT_ONCE // n)
    best: tuple[int, ...] = ()
    for start in range(1, 1 << nullity, step):
        numbers = np.arange(start, min(start + step, 1 << nullity))
        bits = (numbers >> np.arange(nullity)[:, None]) & 1
        x = basis @ bits  # (n, step)
        whole = np.round(x)
        ok = ((np.abs(x - whole) <= slack) & (whole >= 0) & (whole <= 1)).all(axis=0)
        for column in np.flatnonzero(ok):
            chosen = tuple(int(v) for v in np.flatnonzero(whole[:, column]))
            smaller = not best or (len(chosen), chosen) < (len(best), best)
            if smaller and _is_zero_sum(M, norms, whole[:, column], tol):
                best = chosen
    return best


def _pair_within(
    M: np.ndarray, norms: np.ndarray, chosen: np.ndarray, tol: float
) -> tuple[int, ...]:
    """A zero sum of two of the chosen columns if there is one, such as twins; else all of them."""
    witness = tuple(int(v) for v in np.flatnonzero(chosen))
    for pair in combinations(witness, 2):
        if _is_zero_sum(M, norms, np.isin(np.arange(len(norms)), pair), tol):
            return pair
    return witness


def _integer_program(
    M: np.ndarray, kernel: np.ndarray, norms: np.ndarray, tol: float, deadline: float
) -> Irreducibility:
    """Search a smallest zero sum by branch and bound, as long as time remains."""
    nullity = kernel.shape[1]
    remaining = deadline - time.monotonic()
    too_many = f"2^{nullity} assignments are too many to try"
    if remaining <= 0:
        return Irreducibility(
            None, f"undetermined: {too_many}, and time_budget is used up: raise it"
        )
    free, basis = _free_columns(kernel, norms)
    n = len(basis)
    bound = np.setdiff1d(np.arange(n), free)
    dependent = np.zeros((len(bound), n))
    dependent[np.arange(len(bound)), bound] = 1.0
    dependent[:, free] = -basis[bound]
    # HiGHS 1.12 (SciPy 1.17) may print a line here that no option prevents: HiGHS issue 2783
    found = milp(
        np.ones(n),
        constraints=[
            LinearConstraint(dependent, 0.0, 0.0),
            LinearConstraint(np.ones((1, n)), 1.0, np.inf),
        ],
        integrality=np.ones(n),
        bounds=Bounds(0.0, 1.0),
        options={"time_limit": remaining},
    )
    if found.x is not None:
        chosen = np.round(found.x)
        if _is_zero_sum(M, norms, chosen, tol):
            witness = _pair_within(M, norms, chosen, tol)
            return Irreducibility(False, "integer program: a sum of v w^T is zero", witness)
        return Irreducibility(
            None,
            f"undetermined: {too_many}, and the integer program found a sum that is zero to its "
            f"own precision, but not to tol={tol:g}",
        )
    if found.status == 2:
        return Irreducibility(True, "integer program: no sum of v w^T is zero to its precision")
    return Irreducibility(
        None, f"undetermined: {too_many}, and time_budget ended the integer program: raise it"
    )
