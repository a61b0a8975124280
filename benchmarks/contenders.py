"""The libraries that are compared, each behind the same two calls."""

import warnings
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import scipy.fft

from skfact.butterfly import butterfly_factorize
from skfact.supports import digit_reversal

LIBRARIES = ("skfact", "pyfaust", "lazylinop")


class Factorizer(NamedTuple):
    """A way to factor A; `bit_reversed` says that its columns are to be bit-reversed first."""

    name: str
    factorize: Callable[[np.ndarray, bool], Any]
    toarray: Callable[[Any], np.ndarray]
    # name of a way to apply the result -> what makes a function of an (n, batch) or (n,) array
    products: dict[str, Callable[[Any], Callable[[np.ndarray], np.ndarray]]]
    layout: str = "C"  # memory layout of the batch that the library prefers


def installed() -> list[str]:
    """Libraries that can be imported."""
    return [name for name in LIBRARIES if find_spec(name)]


def versions() -> dict[str, str]:
    """Version of each library and of what they compute with."""
    found = {name: version(name) for name in installed() if name != "skfact"}
    import skfact

    return {"skfact": skfact.__version__, "numpy": np.__version__, **found}


def factorizers() -> list[Factorizer]:
    """All ways to factor a matrix that can be run here."""
    makers = {"skfact": _skfact, "pyfaust": _pyfaust, "lazylinop": _lazylinop}
    return [entry for name in installed() for entry in makers[name]()]


def fft(x: np.ndarray) -> np.ndarray:
    """The transform written by hand: what a DFT in factored form cannot reach."""
    return scipy.fft.fft(x, axis=0)


def _skfact() -> list[Factorizer]:
    def factorize(A: np.ndarray, bit_reversed: bool) -> Any:
        return butterfly_factorize(A, permutation="digit-reversal" if bit_reversed else None)

    def product(operator: Any) -> Callable[[np.ndarray], np.ndarray]:
        return lambda x: operator.matvec(x) if x.ndim == 1 else operator.matmat(x)

    return [Factorizer("skfact", factorize, lambda op: op.toarray(), {"skfact": product})]


def _pyfaust() -> list[Factorizer]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what else could be installed
        from pyfaust.fact import butterfly

    def factorize(A: np.ndarray, bit_reversed: bool, diag_opt: bool) -> Any:
        # opt_butterfly_faust afterwards is wrong where the permutation is part of a factor
        perm = "bitrev" if bit_reversed else None
        return butterfly(A, type="bbtree", perm=perm, diag_opt=diag_opt)

    def product(faust: Any) -> Callable[[np.ndarray], np.ndarray]:
        return lambda x: faust @ x

    return [
        Factorizer(
            name,
            lambda A, bit_reversed, diag_opt=diag_opt: factorize(A, bit_reversed, diag_opt),
            lambda faust: faust.toarray(),
            {name: product},
            layout="F",
        )
        for name, diag_opt in (("pyfaust", False), ("pyfaust, diag_opt", True))
    ]


class _Permuted(NamedTuple):
    """Result of lazylinop beside the permutation of columns, which is left to its user."""

    operator: Any
    columns: np.ndarray | None


def _lazylinop() -> list[Factorizer]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from lazylinop.butterfly import Chain, fuse, ksd, ksm

    def factorize(A: np.ndarray, bit_reversed: bool, order: str) -> _Permuted:
        columns = digit_reversal([2] * (len(A).bit_length() - 1)) if bit_reversed else None
        A = A if columns is None else A[:, columns]
        chain = Chain.square_dyadic(A.shape)
        return _Permuted(ksd(A, chain, order=order, svd_backend="numpy_svd"), columns)

    def toarray(found: _Permuted) -> np.ndarray:
        matrix = found.operator.toarray()
        return matrix if found.columns is None else matrix[:, np.argsort(found.columns)]

    def product(found: _Permuted, n: int | None = None) -> Callable[[np.ndarray], np.ndarray]:
        operator, columns = found
        if n is not None:
            values = operator.ks_values
            cuts = [len(values) * i // n for i in range(n + 1)]
            parts = [list(range(*cut)) for cut in pairwise(cuts)]
            operator = ksm(fuse(values, parts))
        if columns is None:
            return lambda x: operator @ x
        return lambda x: operator @ x[columns]

    products = {
        "lazylinop": product,
        "lazylinop, fused to 2": lambda found: product(found, 2),
        "lazylinop, fused to 3": lambda found: product(found, 3),
    }
    return [
        Factorizer(
            f"lazylinop, {order}",
            lambda A, bit_reversed, order=order: factorize(A, bit_reversed, order),
            toarray,
            products if order == "l2r" else {},
        )
        for order in ("l2r", "balanced")
    ]
