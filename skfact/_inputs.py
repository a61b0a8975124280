"""Arrays as functions and operators take them: which library, which dtype."""

from __future__ import annotations

import reprlib
from typing import Any

import numpy as np
import scipy.sparse
from array_api_compat import is_array_api_obj, is_cupy_namespace, is_torch_array

from skfact._backend import array_namespace

FLOATING = ("float32", "float64", "complex64", "complex128")
_NAMES = {np.dtype(name): name for name in FLOATING}  # NumPy takes microseconds to name a dtype


def dtype_name(dtype: Any) -> str:
    """Name that all array libraries share for a dtype (`"float32"` for `torch.float32`)."""
    if isinstance(dtype, np.dtype) and dtype in _NAMES:
        return _NAMES[dtype]
    try:
        return str(np.dtype(dtype).name)
    except TypeError:
        return str(dtype).rsplit(".", maxsplit=1)[-1]


def namespace_dtype(dtype: Any, xp: Any) -> Any:
    """The dtype object of namespace `xp` for a floating dtype of any library, or its name.

    Raises
    ------
    TypeError
        If it is none of the four supported dtypes.
    """
    name = dtype_name(dtype)
    if dtype is None or name not in FLOATING:
        raise TypeError(f"dtype must be one of {', '.join(FLOATING)}, got {dtype!r}.")
    return np.dtype(name) if is_numpy(xp) or is_cupy_namespace(xp) else getattr(xp, name)


def is_numpy(xp: Any) -> bool:
    """Whether `xp` is NumPy's namespace."""
    return bool(xp.__name__ == "array_api_compat.numpy")


def is_sparse(matrix: Any) -> bool:
    """Whether the object is a SciPy or CuPy sparse matrix or array."""
    return scipy.sparse.issparse(matrix) or type(matrix).__module__.startswith("cupyx.")


def refuse_sparse(matrix: Any, name: str) -> None:
    """Raise if the object is a sparse matrix, or a sparse tensor of PyTorch."""
    if is_sparse(matrix):
        advice = "toarray()"
    elif is_torch_array(matrix) and str(matrix.layout) != "torch.strided":
        advice = "to_dense()"
    else:
        return
    raise TypeError(
        f"{name} is a sparse matrix, which is not accepted here: pass its dense form, that of "
        f".{advice}."
    )


def is_complex_dtype(dtype: Any) -> bool:
    """Whether a dtype of any library is complex."""
    return dtype_name(dtype).startswith("complex")


def as_floating(array: Any, name: str, default: Any = None, *, real: bool = False) -> Any:
    """An array, or what `numpy.asarray` takes, in one of the four floating dtypes.

    Stays in its own library, and is the array itself if nothing has to be converted. Integers and
    bools become `default` (None: float64); with `real`, complex arrays are refused, too.

    Raises
    ------
    TypeError
        If the dtype is half or extended precision, object, string or another non-number, or the
        array is masked or sparse.
    """
    allowed = FLOATING[:2] if real else FLOATING
    if type(array) is np.ndarray and _NAMES.get(array.dtype) in allowed:  # the rule, in no time
        return array
    refuse_sparse(array, name)
    if isinstance(array, np.ma.MaskedArray):
        raise TypeError(
            f"{name} is a masked array, and the mask would be ignored: pass its .filled(value)."
        )
    given = array
    if not is_array_api_obj(array) or isinstance(array, np.ndarray | np.generic):
        array = rectangular(array, name)
    found = dtype_name(array.dtype)
    if found in allowed:
        if isinstance(array, np.ndarray) and not array.dtype.isnative:
            array = array.astype(array.dtype.newbyteorder("="))
        return array
    xp = array_namespace(array)
    if found.removeprefix("u").startswith("int") or found == "bool":
        return xp.astype(array, namespace_dtype("float64" if default is None else default, xp))
    if real and found.startswith("complex"):
        raise TypeError(f"{name} has dtype {array.dtype}, but must be real: pass its .real.")
    what = "" if array is given else f" as an array, and is {reprlib.repr(given)}"
    cure = f": convert it first, for example with {cast_of(array)}" if array is given else ""
    raise TypeError(
        f"{name} has dtype {array.dtype}{what}; allowed are {', '.join(allowed)}, integers and "
        f"bools{cure}."
    )


def rectangular(array: Any, name: str) -> np.ndarray:
    """What `numpy.asarray` makes of lists and the like, which must not be ragged."""
    try:
        return np.asarray(array)
    except ValueError as error:
        raise ValueError(f"{name} is no rectangular array of numbers: {error}") from error


def cast_of(array: Any) -> str:
    """Code that makes double precision of an array, as its library writes it."""
    return ".to(torch.float64)" if is_torch_array(array) else ".astype('float64')"


def private_copy(array: Any) -> Any:
    """A C-ordered copy that nobody else writes to; read-only where the library knows that.

    Also of what is read-only: its owner could make it writeable again.
    """
    if isinstance(array, np.ndarray):
        array = np.array(array, order="C", subok=False)
        array.flags.writeable = False
        return array
    if is_torch_array(array):
        return array.detach().clone().contiguous()
    return array_namespace(array).asarray(array, copy=True)
