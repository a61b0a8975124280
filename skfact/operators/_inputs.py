"""Arrays as the operators take them: which library, which dtype, which shape."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse
from array_api_compat import is_array_api_obj, is_torch_array

from .._backend import array_namespace, device

FLOATING = ("float32", "float64", "complex64", "complex128")


def dtype_name(dtype: Any) -> str:
    """Name that all array libraries share for a dtype (`"float32"` for `torch.float32`)."""
    try:
        return np.dtype(dtype).name
    except TypeError:
        return str(dtype).rsplit(".", maxsplit=1)[-1].removesuffix("'>")


def namespace_dtype(dtype: Any, xp: Any) -> Any:
    """The dtype object of namespace `xp` for a floating dtype of any library."""
    name = dtype_name(dtype)
    if name not in FLOATING:
        raise TypeError(f"dtype must be one of {', '.join(FLOATING)}, got {dtype!r}.")
    if is_numpy(xp):
        return np.dtype(name)
    return getattr(xp, name)


def is_numpy(xp: Any) -> bool:
    """Whether `xp` is NumPy's namespace (faster than the function of array-api-compat)."""
    return xp.__name__ in ("array_api_compat.numpy", "numpy")


def is_complex_dtype(dtype: Any) -> bool:
    """Whether a dtype of any library is complex."""
    return dtype_name(dtype).startswith("complex")


def as_floating(array: Any, name: str, default: Any = None) -> Any:
    """`array` as an array of one of the four floating dtypes, in its own library.

    Parameters
    ----------
    array : array-like
        An array of any supported library, or anything that `numpy.asarray` takes.
    name : str
        What to call it in messages.
    default : dtype, optional
        What integers and bools become; None is float64.

    Returns
    -------
    array
        The array itself if nothing had to be converted.

    Raises
    ------
    TypeError
        If the dtype is half or extended precision, object, string or another non-number, or the
        array is masked or sparse.
    """
    if scipy.sparse.issparse(array):
        raise TypeError(
            f"{name} is a SciPy sparse matrix, which is not accepted here: pass {name}.toarray()."
        )
    if isinstance(array, np.ma.MaskedArray):
        raise TypeError(
            f"{name} is a masked array, and the mask would be ignored: pass {name}.filled(value)."
        )
    if not is_array_api_obj(array) or isinstance(array, np.ndarray):
        array = np.asarray(array)
    found = dtype_name(array.dtype)
    if found in FLOATING:
        if isinstance(array, np.ndarray) and not array.dtype.isnative:
            array = array.astype(array.dtype.newbyteorder("="))
        return array
    xp = array_namespace(array)
    if found.removeprefix("u").startswith("int") or found == "bool":
        return xp.astype(array, xp.float64 if default is None else default)
    raise TypeError(
        f"{name} has dtype {array.dtype}; allowed are {', '.join(FLOATING)}, integers and bools: "
        f"convert it first, for example with {name}.astype('float64')."
    )


def copy_array(array: Any) -> Any:
    """A private C-ordered copy, read-only where the library knows such a thing."""
    if isinstance(array, np.ndarray):
        base = array
        while isinstance(base, np.ndarray) and not base.flags.writeable:
            if base.base is None:
                break
            base = base.base
        if isinstance(base, np.ndarray) and not base.flags.writeable and array.flags.c_contiguous:
            return array  # nobody can write to it: no copy needed
        array = np.array(array, order="C")
        array.flags.writeable = False
        return array
    if is_torch_array(array):
        return array.detach().clone().contiguous()
    xp = array_namespace(array)
    return xp.asarray(array, copy=True)


def on_device(array: Any, xp: Any, target: Any) -> bool:
    """Whether `array` is of namespace `xp` and lives on the device `target`."""
    return array_namespace(array) is xp and device(array) == target
