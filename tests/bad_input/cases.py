"""What all lists of bad input share: how a case is written, and arrays that many use."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import scipy.linalg
import scipy.sparse
from numpy.testing import assert_allclose

RANDOM = np.random.default_rng(0)
A = RANDOM.standard_normal((8, 8))
H = scipy.linalg.hadamard(8).astype(float)


class Case(NamedTuple):
    """A call on inputs, and its outcome: an exception with a message, or a check of the result."""

    id: str
    call: Callable[..., Any]
    inputs: tuple[Any, ...]
    error: type[Exception] | tuple[type[Exception], ...] | None = None
    message: str = ""
    check: Callable[..., None] | None = None


CASES: list[Case] = []


def refused(id: str, call: Callable[..., Any], *inputs: Any, error: Any, message: str) -> None:
    """Must raise; the message, a regular expression, names the argument."""
    CASES.append(Case(id, call, inputs, error=error, message=message))


def works(id: str, call: Callable[..., Any], *inputs: Any, check: Callable[..., None]) -> None:
    """Must return something that `check(result, *inputs)` accepts."""
    CASES.append(Case(id, call, inputs, check=check))


def changed(array: np.ndarray, value: Any) -> np.ndarray:
    array = np.array(array)
    array[1, 2] = value
    return array


BAD_MATRICES = [
    ("NaN", changed(A, np.nan), ValueError, "{name} contains NaN"),
    ("inf", changed(A, np.inf), ValueError, "{name} contains inf"),
    ("minus inf", changed(A, -np.inf), ValueError, "{name} contains inf"),
    ("float32 NaN", changed(A.astype("f4"), np.nan), ValueError, "{name} contains NaN"),
    ("complex NaN", changed(A + 0j, complex(0, np.nan)), ValueError, "{name} contains NaN"),
    ("1-D", A[0], ValueError, "{name} must be 2-D.*reshape"),
    ("0-D", np.float64(3), ValueError, "{name} must be 2-D"),
    ("3-D", A[None], ValueError, "{name} must be 2-D"),
    ("no rows", A[:0], ValueError, "{name} must have at least one row"),
    ("no columns", A[:, :0], ValueError, "{name} must have at least one row"),
    ("object", A.astype(object), TypeError, "{name} has dtype object"),
    ("strings", A.astype(str), TypeError, "{name} has dtype"),
    ("text", "butterfly", TypeError, "{name} has dtype"),
    ("dates", A.astype("m8[s]"), TypeError, "{name} has dtype"),
    ("float16", A.astype("f2"), TypeError, "{name} has dtype float16.*astype"),
    ("long double", A.astype("g"), TypeError, "{name} has dtype .*astype"),
    ("None", None, TypeError, "{name} has dtype object"),
    ("ragged lists", [[1.0, 2.0], [3.0]], ValueError, "{name} is no rectangular"),
    ("sparse matrix", scipy.sparse.csr_matrix(A), TypeError, "{name} is a sparse matrix.*toarray"),
    ("sparse array", scipy.sparse.coo_array(A), TypeError, "{name} is a sparse matrix.*toarray"),
    ("masked", np.ma.masked_less(A, 0), TypeError, "{name} is a masked array.*filled"),
    ("records", np.zeros((8, 8), "f8,f8"), TypeError, "{name} has dtype"),
]


def exact(result, *inputs):
    dense = np.asarray(inputs[0], dtype=result.dtype)
    unit = np.abs(dense).max() or 1.0
    eps = np.finfo(result.dtype).eps
    assert_allclose(result.toarray() / unit, dense / unit, rtol=0, atol=100 * eps)


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


ODD_MATRICES = [
    ("lists", A.tolist()),
    ("tuples", tuple(map(tuple, A.tolist()))),
    ("ints", (10 * A).astype("i4")),
    ("unsigned", np.arange(64, dtype="u1").reshape(8, 8)),
    ("bools", A > 0),
    ("read-only", read_only(A)),
    ("Fortran", np.asfortranarray(A)),
    ("negative strides", A[::-1, ::-1]),
    ("strided", RANDOM.standard_normal((16, 24))[::2, ::3]),
    ("broadcast", np.broadcast_to(A[0], (8, 8))),
    ("big endian", A.astype(">f8")),
    ("matrix class", A.view(np.ndarray)),
    ("negative zeros", -np.zeros((8, 8))),
]

EXACT = [
    ("1 x 1", [[3.0]]),
    ("1 x 1 zero", [[0.0]]),
    ("2 x 2", A[:2, :2]),
    ("1 x N", A[:1]),
    ("N x 1", A[:, :1]),
    ("prime x prime", RANDOM.standard_normal((7, 5))),
    ("all zero", np.zeros((8, 8))),
    ("zero blocks", np.kron(np.diag([1.0, 0, 2, 0]), np.ones((2, 2)))),
    ("scale 1e-200", 1e-200 * H),
    ("scale 1e200", 1e200 * H),
    ("scale 1e308", 1e308 * H),
    ("scale 1e308, norm beyond the largest number", 1e308 * np.kron(H, np.ones((1, 8)))),
    ("subnormal", 5e-324 * H),
    ("subnormal float32", (1e-44 * H).astype("f4")),
    ("float32 1e38", (1e38 * H).astype("f4")),
    ("one entry", changed(np.zeros((8, 8)), 1e-300)),
    ("mixed scales", np.outer(10.0 ** np.arange(-8, 8), 10.0 ** np.arange(0, -160, -10))),
]

BAD_X = [
    ("NaN", changed(A, np.nan), ValueError, "X contains NaN"),
    ("inf", changed(A, np.inf), ValueError, "X contains inf"),
    ("complex", A + 1j, ValueError, "[Cc]omplex data not supported"),
    ("1-D", A[0], ValueError, "Expected 2D array"),
    ("3-D", A[None], ValueError, "dim 3"),
    ("empty", A[:0], ValueError, "0 sample"),
    ("no features", A[:, :0], ValueError, "0 feature"),
    ("strings", A.astype(str).astype(object) + "x", ValueError, "could not convert"),
    ("sparse", scipy.sparse.csr_array(A), TypeError, "[Ss]parse"),
    ("None", None, (TypeError, ValueError), "NoneType|Expected 2D"),
    ("text", "X", ValueError, "Expected 2D|could not convert"),
    ("dict", {"a": [1.0]}, (TypeError, ValueError), "X|dict|float"),
]
