"""Arrays as functions and operators take them: which library, which dtype."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse
from array_api_compat import is_array_api_obj, is_torch_array

from skfact._backend import array_namespace, is_cupy_namespace

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
    if is_sparse(array):
        raise TypeError(
            f"{name} is a sparse matrix, which is not accepted here: pass {name}.toarray()."
        )
    if isinstance(array, np.ma.MaskedArray):
        raise TypeError(
            f"{name} is a masked array, and the mask would be ignored: pass {name}.filled(value)."
        )
    if not is_array_api_obj(array) or isinstance(array, np.ndarray | np.generic):
        array = np.asarray(array)
    found = dtype_name(array.dtype)
    if found in allowed:
        if isinstance(array, np.ndarray) and not array.dtype.isnative:
            array = array.astype(array.dtype.newbyteorder("="))
        return array
    xp = array_namespace(array)
    if found.removeprefix("u").startswith("int") or found == "bool":
        return xp.astype(array, namespace_dtype("float64" if default is None else default, xp))
    raise TypeError(
        f"{name} has dtype {array.dtype}; allowed are {', '.join(allowed)}, integers and bools: "
        f"convert it first, for example with {name}.astype('float64')."
    )


def private_copy(array: Any) -> Any:
    """A C-ordered copy that nobody else writes to; read-only where the library knows that.

    A NumPy array that is read-only down to the owner of its memory is not copied.
    """
    if isinstance(array, np.ndarray):
        owner: Any = array
        while isinstance(owner, np.ndarray) and not owner.flags.writeable:
            if owner.base is None and array.flags.c_contiguous and array.flags.aligned:
                return array
            owner = owner.base
        array = np.array(array, order="C", subok=False)
        array.flags.writeable = False
        return array
    if is_torch_array(array):
        return array.detach().clone().contiguous()
    return array_namespace(array).asarray(array, copy=True)
