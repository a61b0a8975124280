"""Compiling the loops before they are used: what they do is done on small arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from skfact._checks import check_verbose, one_of
from skfact._kernels._jit import can_compile, compilations
from skfact._kernels.chain_gradient import Selections, loss_and_gradient, map_rows, pull_back_rows
from skfact._kernels.palm.dispatch import CompiledSweeps
from skfact._kernels.paths import power_product
from skfact.butterfly._factorize import factorize
from skfact.operators import FactorizedOperator
from skfact.supports import Chain

SIZE = 64  # of matrices: their factors are multiplied in tiles and in lanes
DTYPES = ("float32", "float64", "complex64", "complex128")


def compile_kernels(
    subpackages: str | Iterable[str] | None = None,
    *,
    dtypes: str | Iterable[str] = "float64",
    verbose: int = 0,
) -> dict[str, float]:
    """Compile the loops that would be compiled at their first use.

    They are kept on disk, beside the source or in the user's cache directory (:ref:`first-use`):
    call it once where an image is built or continuous integration is set up, on the kind of
    processor that they are to run on. Loops that are already there are loaded.

    Parameters
    ----------
    subpackages : str or iterable of str, default=None
        Of which subpackages: "butterfly" (rank one, in given supports), "structure" (the search of
        ``supports="auto"``), "operators", "deep_linear" and "relu"; None is all of them.
    dtypes : str or iterable of str, default="float64"
        For which arrays: "float32", "float64", "complex64", "complex128".
    verbose : int, default=0
        Whether each loop is printed when it has been compiled.

    Returns
    -------
    seconds : dict of str to float
        Loops that were compiled, and the seconds that each took for all dtypes.

    Raises
    ------
    ValueError
        If a subpackage or a dtype has another name.
    RuntimeError
        If numba is not there or switched off: there is nothing to compile then.

    Examples
    --------
    >>> import skfact
    >>> seconds = skfact.compile_kernels("relu")
    >>> skfact.compile_kernels("relu")  # they are there
    {}
    """
    check_verbose(verbose)
    chosen = _names(subpackages, "subpackages", tuple(USES))
    wanted = _names(dtypes, "dtypes", DTYPES)
    if not can_compile():
        raise RuntimeError("numba is not there or switched off: there is nothing to compile.")
    seconds: dict[str, float] = {}

    def tell(name: str, duration: float) -> None:
        seconds[name] = seconds.get(name, 0.0) + duration
        if verbose:
            print(f"skfact: {name} compiled in {duration:.1f} s")

    with compilations(tell):
        for dtype in wanted:
            for name in chosen:
                USES[name](np.dtype(dtype))
    return seconds


def _names(given: str | Iterable[str] | None, argument: str, known: tuple[str, ...]) -> list[str]:
    names = list(known) if given is None else [given] if isinstance(given, str) else list(given)
    for name in names:
        if name not in known:
            raise ValueError(f"{argument} must be among {one_of(known)}, got {name!r}.")
    return names


def _noise(dtype: np.dtype) -> np.ndarray:
    random = np.random.default_rng(0)
    X = random.standard_normal((SIZE, SIZE))
    if dtype.kind == "c":
        X = X + 1j * random.standard_normal(X.shape)
    return X.astype(dtype)


def _operator(dtype: np.dtype) -> FactorizedOperator:
    operator: FactorizedOperator = factorize(np.ones((SIZE, SIZE), dtype)).operator
    return operator


def _splits(dtype: np.dtype) -> None:
    _operator(dtype)  # exact
    factorize(_noise(dtype), permutation=None)


def _structure(dtype: np.dtype) -> None:
    factorize(_noise(dtype), "auto", max_density=0.5)


def _products(dtype: np.dtype) -> None:
    operator, X = _operator(dtype), _noise(dtype)
    operator.apply(X)
    operator.matvec(X[0])


def _learning(dtype: np.dtype) -> None:
    X, chain = _noise(dtype), Chain.butterfly(SIZE)
    values = [np.ones((p.a, p.d, p.b, p.c), dtype) for p in chain]
    CompiledSweeps(X, tuple(chain), values, 1.0, 0.0).sweep(True)
    ends = Selections(*(np.arange(SIZE) for _ in range(4)))
    map_rows(values, ends, X)
    pull_back_rows(values, ends, X, X, back=True)
    if dtype.kind == "f":
        loss_and_gradient(values, X, X)


def _path_sums(dtype: np.dtype) -> None:
    if dtype.kind == "f":
        X = _noise(dtype)
        for weights in (X, X.T):
            power_product(X[0], weights, 2)


USES: dict[str, Callable[[Any], None]] = {
    "butterfly": _splits,
    "structure": _structure,
    "operators": _products,
    "deep_linear": _learning,
    "relu": _path_sums,
}
