"""Models on the parameters of a structured factor, given by the projection on them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from skfact._backend import array_namespace, device, move
from skfact._checks import check_number, is_number
from skfact._linalg import is_complex, limited
from skfact.supports import KSparse

NON_NEGATIVE = "non-negative"
TOLERANCE = 1e4  # relative change by a second projection, in multiples of eps


def projection_on(model: Any) -> Callable[[Any], Any] | None:
    """The projection of vectors that a `projection` argument stands for.

    Raises
    ------
    TypeError, ValueError
        If it stands for none.
    """
    if model is None or callable(model):
        return model
    if isinstance(model, str):
        if model != NON_NEGATIVE:
            raise ValueError(f"projection must be {NON_NEGATIVE!r}, got {model!r}.")
        return _non_negative
    if isinstance(model, KSparse):
        if model.axis is not None:
            raise ValueError(
                f"projection={model!r} counts over rows or columns, but parameters are one vector: "
                f"pass KSparse({model.k})."
            )
        return lambda h: model.project(h[None, :])[0, :]
    if is_number(model, float):
        check_number(model, "projection", float, 0)
        if not 0 < model < math.inf:
            raise ValueError(
                f"projection={model!r} is to bound the norm of the parameters: it must be positive "
                "and finite."
            )
        return lambda h: _within(h, float(model))
    raise TypeError(
        f"projection must be None, {NON_NEGATIVE!r}, a KSparse, a number that bounds the norm, or "
        f"a callable that maps parameters to the nearest ones, got {model!r}."
    )


def _non_negative(h: Any) -> Any:
    """The nearest vector of real numbers that are not negative, in the dtype of h."""
    if not is_complex(h):
        return limited(h, low=0.0)
    xp = array_namespace(h)
    return xp.astype(limited(xp.real(h), low=0.0), h.dtype)


def _within(h: Any, bound: float) -> Any:
    """The nearest vector of that norm at most."""
    norm = float(array_namespace(h).linalg.vector_norm(h))
    return h * (bound / norm) if norm > bound else h


def check_projection(project: Callable[[Any], Any], size: int, like: Any, name: str) -> None:
    """Raise ValueError unless it is a projection of vectors, in the library of `like`.

    A second projection must change nothing, for random vectors of several sizes.
    """
    xp = array_namespace(like)
    random = np.random.default_rng(size)
    for scale in (0.1, 1.0, 10.0):
        host = scale * random.standard_normal(size)
        once = project(xp.astype(move(host, xp, device(like)), like.dtype, copy=True))
        shape = getattr(once, "shape", None)
        if shape is None or tuple(shape) != (size,):
            got = type(once).__name__ if shape is None else f"an array of shape {tuple(shape)}"
            raise ValueError(f"{name}: `projection` returned {got}, expected shape {(size,)}.")
        if once.dtype != like.dtype:
            raise ValueError(
                f"{name}: `projection` returned {once.dtype} for parameters of {like.dtype}: "
                "return the dtype that comes in."
            )
        norm = xp.linalg.vector_norm
        again = project(xp.asarray(once, copy=True))  # it may work in place
        change, whole = float(norm(again - once)), float(norm(once))
        if not change <= TOLERANCE * float(xp.finfo(like.dtype).eps) * max(whole, scale):
            raise ValueError(
                f"{name}: `projection` is none: a second one moves parameters of norm {whole:.3g} "
                f"by {change:.3g}. It must map to the nearest parameters of a set, and leave those "
                "as they are."
            )
