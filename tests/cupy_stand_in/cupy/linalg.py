"""Linear algebra, which gives NaN where it fails, unless `cupyx.errstate` says to raise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cupyx
import numpy as np

from cupy._array import launch
from cupy._ledger import ledger
from cupy._surface import on_device

LinAlgError = np.linalg.LinAlgError
globals().update(on_device("linalg."))


def solve(a: Any, b: Any) -> Any:
    return launch("linalg.solve", _nan_where_singular(np.linalg.solve), a, b)


def cholesky(a: Any) -> Any:
    return launch("linalg.cholesky", _nan_where_singular(np.linalg.cholesky), a)


def inv(a: Any) -> Any:
    return launch("linalg.inv", _nan_where_singular(np.linalg.inv), a)


def _nan_where_singular(function: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    def checked(*arrays: np.ndarray) -> np.ndarray:
        if cupyx.linalg_raises():
            ledger.wait("errstate")
            return function(*arrays)
        try:
            return function(*arrays)
        except LinAlgError:
            return np.full_like(arrays[-1], np.nan)

    return checked
