"""What is asked of CuPy, with the parameters that it has in CuPy 14."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

from cupy._array import launch, ndarray
from cupy._ledger import ledger

# by skfact, itself or through array-api-compat
FUNCTIONS = {
    "all": "a axis out keepdims",
    "any": "a axis out keepdims",
    "arange": "start stop step dtype",
    "argmax": "a axis dtype out keepdims",
    "argsort": "a axis kind",
    "broadcast_to": "array shape",
    "concatenate": "tup axis out dtype casting",
    "cumsum": "a axis dtype out",
    "diagonal": "a offset axis1 axis2",
    "empty": "shape dtype order",
    "fft.fft": "a n axis norm",
    "eye": "N M k dtype order",
    "full": "shape fill_value dtype order",
    "full_like": "a fill_value dtype order subok shape",
    "imag": "val",
    "linalg.cholesky": "a",
    "linalg.eigh": "a UPLO",
    "linalg.eigvalsh": "a UPLO",
    "linalg.inv": "a",
    "linalg.norm": "x ord axis keepdims",
    "linalg.pinv": "a rcond",
    "linalg.qr": "a mode",
    "linalg.solve": "a b",
    "linalg.svd": "a full_matrices compute_uv",
    "matmul": "x1 x2 out",
    "max": "a axis out keepdims",
    "min": "a axis out keepdims",
    "nonzero": "a",
    "ones": "shape dtype order",
    "ones_like": "a dtype order subok shape",
    "partition": "a kth axis",
    "real": "val",
    "reshape": "a newshape order",
    "roll": "a shift axis",
    "round": "a decimals out",
    "stack": "tup axis out dtype casting",
    "sum": "a axis dtype out keepdims",
    "swapaxes": "a axis1 axis2",
    "take": "a indices axis out",
    "transpose": "a axes",
    "where": "condition x y",
    "zeros": "shape dtype order",
    "zeros_like": "a dtype order subok shape",
}
UFUNCS = """
abs absolute add bitwise_and bitwise_or bitwise_xor conj equal exp floor floor_divide greater
greater_equal invert isfinite isnan less less_equal log log2 maximum minimum multiply negative
not_equal power remainder sign sqrt subtract true_divide
"""
ON_HOST = ("broadcast_shapes", "isdtype", "issubdtype", "result_type")  # of dtypes and shapes
CONSTANTS = """
bool_ complex128 complex64 complexfloating dtype e finfo float32 float64 floating iinfo inf int16
int32 int64 int8 integer intp nan newaxis pi uint16 uint32 uint64 uint8
"""
# what array-api-compat only names when it is imported
NAMED = """
arccos arccosh arcsin arcsinh arctan arctan2 arctanh broadcast_arrays ceil count_nonzero
expand_dims isin left_shift linalg.lstsq meshgrid right_shift searchsorted
take_along_axis trunc
"""
WAITS = ("nonzero",)  # the size of the result is a number of the device


def on_device(module: str) -> dict[str, Callable[..., Any]]:
    """The functions of a module of CuPy, by their names in it."""
    given = {**FUNCTIONS, **dict.fromkeys(UFUNCS.split(), "x1 x2 out dtype casting")}
    functions = {name: _function(name, given[name].split()) for name in given}
    functions |= {name: _of_dtypes(name) for name in ON_HOST}
    functions |= {name: _unknown(name) for name in NAMED.split()}
    return {
        name.removeprefix(module): function
        for name, function in functions.items()
        if name.startswith(module) and "." not in name.removeprefix(module)
    }


def _function(name: str, parameters: list[str]) -> Callable[..., Any]:
    host = reduce(getattr, name.split("."), np)

    def function(*args: Any, **kwargs: Any) -> Any:
        unknown = set(kwargs) - set(parameters[len(args) :])
        if unknown or len(args) > len(parameters):
            raise TypeError(f"cupy.{name}{tuple(parameters)} got {len(args)} arguments, {unknown}")
        if name in WAITS:
            ledger.wait(name)
        return launch(name, host, *args, **kwargs)

    return function


def _of_dtypes(name: str) -> Callable[..., Any]:
    function = getattr(np, name)
    return lambda *given: function(
        *(one.dtype if isinstance(one, ndarray) else one for one in given)
    )


def _unknown(name: str) -> Callable[..., Any]:
    def function(*args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f"The stand-in for CuPy only names {name}: see _surface.py.")

    return function
