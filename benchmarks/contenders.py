"""The libraries that are compared, each behind the same calls and in the form that it prefers."""

import warnings
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import scipy.fft

from skfact.butterfly import butterfly_factorize
from skfact.operators import FactorizedOperator, KroneckerFactor
from skfact.supports import digit_reversal

PEERS = ("pyfaust", "lazylinop")


class Factorizer(NamedTuple):
    """A way to factor A; `bit_reversed` says that its columns are to be bit-reversed first."""

    name: str
    factorize: Callable[[np.ndarray, bool], Any]
    toarray: Callable[[Any], np.ndarray]


class Product(NamedTuple):
    """A way to multiply by factors that are known.

    Columns are passed as `prepare(X)`, X of shape (n, batch), C-ordered, or (n,); `columns` makes
    such an array of the result again.
    """

    name: str
    multiply: Callable[[Any], Any]
    prepare: Callable[[np.ndarray], Any] = lambda X: X
    columns: Callable[[Any], np.ndarray] = lambda Y: Y


def versions() -> dict[str, str]:
    """Version of each library and of what they compute with."""
    names = ("skfact", "numpy", "scipy", "numba", *PEERS, "torch")
    found = {name: version(name) for name in names[1:] if find_spec(name)}
    import skfact

    return {"skfact": skfact.__version__, **found}


def factorizers() -> list[Factorizer]:
    """All ways to factor a matrix that can be run here."""
    makers = {"pyfaust": _pyfaust_factorizers, "lazylinop": _lazylinop_factorizers}
    peers = [entry for name in PEERS if find_spec(name) for entry in makers[name]()]
    return [Factorizer("skfact", _skfact_factorize, lambda op: op.toarray()), *peers]


def products(operator: FactorizedOperator) -> list[Product]:
    """All ways to multiply by the factors of an operator that can be run here."""
    factors = [f for f in operator.factors if isinstance(f, KroneckerFactor)]
    columns = operator.factors[-1].index if len(factors) < len(operator.factors) else None
    makers = {"pyfaust": _pyfaust_products, "lazylinop": _lazylinop_products}
    peers = [entry for name in PEERS if find_spec(name) for entry in makers[name](factors, columns)]

    def multiply(x: np.ndarray) -> np.ndarray:
        return operator.matvec(x) if x.ndim == 1 else operator.matmat(x)

    rows = Product("skfact, rows", operator.apply, _rows, lambda Y: Y.T)
    return [Product("skfact", multiply), rows, *peers]


def transforms(is_complex: bool, threads: int) -> list[Product]:
    """The transforms written by hand: fft, or rfft for real vectors, along columns and rows."""
    transform = scipy.fft.fft if is_complex else scipy.fft.rfft
    along = partial(transform, workers=threads)
    return [
        Product("scipy.fft", lambda x: along(x, axis=0)),
        Product("scipy.fft, rows", along, _rows, lambda Y: Y.T),
    ]


def _rows(X: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(X.T)


def _skfact_factorize(A: np.ndarray, bit_reversed: bool) -> Any:
    return butterfly_factorize(A, permutation="digit-reversal" if bit_reversed else None)


# ---- pyfaust ----------------------------------------------------------------------------------


def _pyfaust_factorizers() -> list[Factorizer]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what else could be installed
        from pyfaust.fact import butterfly

    def factorize(A: np.ndarray, bit_reversed: bool, diag_opt: bool) -> Any:
        perm = "bitrev" if bit_reversed else None
        return butterfly(A, type="bbtree", perm=perm, diag_opt=diag_opt)

    return [
        Factorizer(name, partial(factorize, diag_opt=diag_opt), lambda faust: faust.toarray())
        for name, diag_opt in (("pyfaust", False), ("pyfaust, diag_opt", True))
    ]


def _pyfaust_products(factors: list[KroneckerFactor], columns: np.ndarray | None) -> list[Product]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pyfaust import Faust, opt_butterfly_faust
    from scipy.sparse import csr_matrix, eye

    matrices = [csr_matrix(FactorizedOperator([f]).to_sparse()[0]) for f in factors]
    if columns is not None:  # a factor of its own: opt_butterfly_faust is wrong for others
        matrices.append(
            csr_matrix(eye(len(columns), dtype=matrices[0].dtype, format="csr"))[columns]
        )
    faust = Faust(matrices)
    return [
        Product(name, lambda x, f=f: f @ x, np.asfortranarray)
        for name, f in (
            ("pyfaust", faust),
            ("pyfaust, opt_butterfly_faust", opt_butterfly_faust(faust)),
        )
    ]


# ---- lazylinop --------------------------------------------------------------------------------


class _Permuted(NamedTuple):
    """Result of lazylinop beside the permutation of columns, which is left to its user."""

    operator: Any
    columns: np.ndarray | None


def _lazylinop_factorizers() -> list[Factorizer]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from lazylinop.butterfly import Chain, ksd

    def factorize(A: np.ndarray, bit_reversed: bool, order: str, backend: str | None) -> _Permuted:
        columns = digit_reversal([2] * (len(A).bit_length() - 1)) if bit_reversed else None
        A = A if columns is None else A[:, columns]
        chain = Chain.square_dyadic(A.shape)
        if backend == "torch":
            import torch

            # tensors make it compute with PyTorch
            return _Permuted(ksd(torch.from_numpy(A), chain, order=order), columns)
        return _Permuted(ksd(A, chain, order=order, svd_backend=backend), columns)

    def toarray(found: _Permuted) -> np.ndarray:
        matrix = np.asarray(found.operator.toarray())
        return matrix if found.columns is None else matrix[:, np.argsort(found.columns)]

    backends = ["numpy_svd", None, *(["torch"] if find_spec("torch") else [])]
    return [
        Factorizer(
            f"lazylinop, {backend or 'default'}, {order}",
            partial(factorize, order=order, backend=backend),
            toarray,
        )
        for backend in backends
        for order in ("l2r", "balanced")
    ]


def _lazylinop_products(
    factors: list[KroneckerFactor], columns: np.ndarray | None
) -> list[Product]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from lazylinop.butterfly import fuse, ksm

    values = [np.ascontiguousarray(f.values.transpose(0, 2, 3, 1)) for f in factors]  # (a, b, c, d)

    def product(operator: Any, index: Any) -> Callable[[Any], Any]:
        return (lambda x: operator @ x) if index is None else (lambda x: operator @ x[index])

    found = []
    for n in (None, 2, 3, 4):
        parts = values
        if n is not None and n < len(values):
            cuts = [len(values) * i // n for i in range(n + 1)]
            parts = fuse(values, [list(range(*cut)) for cut in pairwise(cuts)])
        name = "lazylinop" if n is None else f"lazylinop, fused to {n}"
        found.append(Product(name, product(ksm(parts), columns)))
        if n is not None and find_spec("torch"):
            import torch

            index = None if columns is None else torch.from_numpy(columns)
            tensors = [torch.from_numpy(np.ascontiguousarray(part)) for part in parts]
            multiply = product(ksm(tensors), index)
            found.append(Product(f"{name}, torch", multiply, torch.from_numpy, np.asarray))
    return found
