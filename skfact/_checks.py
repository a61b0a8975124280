"""Checks of matrices and parameters."""

from __future__ import annotations

import inspect
import math
import reprlib
from collections.abc import Iterable, Mapping, Sequence, Set
from difflib import get_close_matches
from fnmatch import fnmatchcase
from numbers import Integral, Real
from typing import Any

import numpy as np

from skfact._backend import array_namespace, device, is_array_api_obj, move
from skfact._inputs import as_floating, refuse_sparse


def refuse_lazy(A: Any, name: str) -> None:
    """Raise if the object is an array of dask."""
    if hasattr(A, "dask"):
        raise TypeError(
            f"{name} is a dask array, which would be loaded whole: pass its .compute()."
        )


def check_matrix(A: Any, name: str, *, real: bool = False) -> Any:
    """A 2-D, non-empty floating array (complex unless `real`) in its library; finiteness not yet.

    Raises
    ------
    TypeError
        If `A` is sparse, masked, lazy or not numeric.
    ValueError
        If `A` is not 2-D or has no entry.
    """
    refuse_lazy(A, name)
    A = as_floating(A, name, real=real)
    if A.ndim != 2:
        advice = (
            f"Flatten what stands in each row, {name}.reshape({A.shape[0]}, -1), or put rows of "
            f"rows below one another, {name}.reshape(-1, {A.shape[-1]})."
            if A.ndim > 2
            else "Reshape a vector with .reshape(-1, 1) or .reshape(1, -1)."
        )
        raise ValueError(
            f"{name} must be 2-D (a matrix), got an array of shape {tuple(A.shape)}. {advice}"
        )
    if 0 in A.shape:
        raise ValueError(
            f"{name} must have at least one row and one column, got shape {tuple(A.shape)}."
        )
    return A


def require_finite(largest: float, name: str) -> None:
    """Raise unless the largest magnitude of an array, found on the way, is finite."""
    if math.isfinite(largest):
        return
    found = "NaN" if math.isnan(largest) else "infinity"
    raise ValueError(f"{name} contains {found}. Remove or impute such entries first.")


def is_number(value: Any, kind: type) -> bool:
    """Whether `value` is an integer, or a real number for `float`; a bool is neither."""
    return isinstance(value, Integral if kind is int else Real) and not isinstance(value, bool)


def check_number(value: Any, name: str, kind: type, low: float, word: str = "") -> None:
    """Raise unless `value` is a number of the kind (int or float) of at least `low`.

    `word` is what may stand in place of a number, which the caller has seen is not there.
    """
    if not is_number(value, kind):
        instead = f" or {word!r}" if word else ""
        raise TypeError(f"{name} must be {kind.__name__}{instead}, got {value!r}.")
    if not value >= low:
        raise ValueError(f"{name} must be at least {low}, got {value!r}.")
    if kind is float and float(np.finfo(float).max) < value < math.inf:
        raise ValueError(f"{name} must be a float or inf, got a number beyond the largest float.")


def check_finite(value: Any, name: str, word: str = "") -> None:
    """Raise unless `value` is a finite float of at least zero; `word` as in `check_number`."""
    check_number(value, name, float, 0, word)
    if not math.isfinite(value):
        raise ValueError(f"{name} must be finite, got {value!r}.")


def check_positive(value: Any, name: str) -> None:
    """Raise unless `value` is a positive and finite float."""
    if not is_number(value, float):
        raise TypeError(f"{name} must be float, got {value!r}.")
    if not 0 < value <= float(np.finfo(float).max):
        raise ValueError(f"{name} must be positive and finite, got {value!r}.")


def one_of(words: Sequence[str]) -> str:
    """An enumeration: "a, b or c"."""
    return f"{', '.join(words[:-1])} or {words[-1]}"


def of_another_kind(value: Any, name: str, kinds: Sequence[str]) -> TypeError:
    """The error that a value is of none of some kinds, which are named."""
    got = f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__
    return TypeError(f"{name} must be {one_of(kinds)}; got {got}.")


def check_flag(value: Any, name: str) -> None:
    """Raise unless `value` is True or False, of Python or NumPy."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False, got {value!r}.")


def check_random_state(random_state: Any) -> np.random.RandomState:
    """The source of random numbers that `random_state` stands for, as in scikit-learn."""
    from sklearn import utils  # operators do without scikit-learn

    try:
        return utils.check_random_state(random_state)
    except ValueError as error:
        raise ValueError(
            f"random_state must be an int from 0 to 2**32 - 1, a RandomState instance or None, got "
            f"{random_state!r}."
        ) from error


def check_verbose(value: Any) -> None:
    """Raise unless `value` is a bool, or how many steps there are between two reports."""
    if not isinstance(value, bool | np.bool_):
        check_number(value, "verbose", int, 0)


def check_choice(value: Any, name: str, choices: tuple[str, ...]) -> None:
    """Raise unless `value` is one of the strings."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} must be one of {choices}, got {value!r}.")


def call(function: Any, name: str, wanted: str, *arguments: Any) -> Any:
    """The function of these arguments; a TypeError tells of one, by its `name`, that takes others.

    What the function itself raises is its own.
    """
    try:
        inspect.signature(function).bind(*arguments)
    except ValueError:  # of some that are built in nothing is known
        pass
    except TypeError as error:
        raise TypeError(
            f"{name} is a callable that does not take {wanted}: {error}. Pass one that takes these "
            f"{len(arguments)} arguments."
        ) from error
    return function(*arguments)


def unknown_name(argument: str, value: str, names: Iterable[str]) -> ValueError:
    """The error that no family has that name, with the names there are."""
    names = sorted(names)
    close = get_close_matches(value, names, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return ValueError(
        f"{argument}={value!r} is not a family of supports; the names are {names}.{hint}"
    )


def positive_int(value: Any, name: str) -> int:
    """Return `value` as a Python int, refusing all but integers of at least one."""
    if type(value) is not int and not is_number(value, int):  # the rule, answered in no time
        raise TypeError(
            f"{name} must be an integer, got {value!r} of type {type(value).__name__}. "
            f"Pass a positive int such as 4."
        )
    if value < 1:
        raise ValueError(f"{name} must be at least 1, got {value}. Pass a positive int.")
    return int(value)


def check_ordered(values: Any, name: str, what: str) -> None:
    """Raise unless `values` can be gone through in an order that means something.

    Texts, sets and mappings are refused; `what` says what is wanted.
    """
    if isinstance(values, str | bytes | Set | Mapping) or not hasattr(values, "__iter__"):
        raise TypeError(
            f"{name} must be {what}, got {reprlib.repr(values)} of type {type(values).__name__}."
        )


def check_sequence(values: Any, name: str, what: str) -> None:
    """The same for values that are gone through more than once: an iterator is refused too."""
    check_ordered(values, name, what)
    if not hasattr(values, "__len__"):
        raise TypeError(f"{name} must be {what}, got a {type(values).__name__}: pass list({name}).")


def chosen_names(
    names: Sequence[str], include: Any, exclude: Any, left_out: Mapping[str, str]
) -> list[str]:
    """The names of layers that are like a pattern of `include`, and like none of `exclude`.

    Patterns are those of file names; None includes all, and excludes none. Layers that are left out
    anyway are named with the reason, and may be excluded too.

    Raises
    ------
    TypeError
        If a pattern is no text.
    ValueError
        If no layer has a name like a pattern.
    """
    inside = _patterns(include, "include", names, left_out)
    outside = _patterns(exclude, "exclude", [*names, *left_out], {})
    return [
        name
        for name in names
        if (include is None or _is_like(name, inside)) and not _is_like(name, outside)
    ]


def _patterns(
    given: Any, argument: str, names: Sequence[str], left_out: Mapping[str, str]
) -> list[str]:
    """Patterns as a list, each of which some name is like."""
    if given is None:
        return []
    found = [given] if isinstance(given, str) else given
    is_list = isinstance(found, Iterable) and not isinstance(found, bytes | Mapping)
    found = list(found) if is_list else [found]
    if not all(isinstance(pattern, str) for pattern in found):
        raise TypeError(
            f"{argument} must be a name of a layer, a pattern of names, or a list of them, got "
            f"{given!r}."
        )
    for pattern in found:
        if not any(_is_like(name, [pattern]) for name in names):
            reasons = [
                f"{name}: {why}" for name, why in left_out.items() if fnmatchcase(name, pattern)
            ]
            raise ValueError(
                f"{argument}={pattern!r} is the name of no layer that can be replaced"
                + (f" ({'; '.join(reasons)})" if reasons else "")
                + f"; the names are {[*names]}."
            )
    return found


def _is_like(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def positive_ints(values: Any, name: str) -> tuple[int, ...]:
    """Return a sequence of positive integers as a tuple."""
    check_ordered(values, name, "a sequence of positive integers")
    return tuple(positive_int(value, f"{name}[{i}]") for i, value in enumerate(values))


def matrix_namespace(matrix: Any, shape: tuple[int, int] | None = None) -> Any:
    """Return the array-API namespace of a numeric matrix, of the given shape if there is one."""
    if not is_array_api_obj(matrix):
        raise TypeError(
            f"matrix must be an array (NumPy, PyTorch, CuPy or any array-API array), got "
            f"{type(matrix).__name__}. Convert it first, for example with numpy.asarray "
            f"(or .toarray() if it is a SciPy sparse matrix)."
        )
    refuse_sparse(matrix, "matrix")
    xp = array_namespace(matrix)
    if not xp.isdtype(matrix.dtype, ("bool", "numeric")):
        raise TypeError(f"matrix must hold numbers, got dtype {matrix.dtype}. Convert it first.")
    if matrix.ndim != 2:
        raise ValueError(f"matrix must be 2-D, got shape {tuple(matrix.shape)}.")
    if shape is not None and tuple(matrix.shape) != shape:
        raise ValueError(
            f"matrix must have the shape of the support, {shape}, got {tuple(matrix.shape)}."
        )
    return xp


def keep_where(mask: np.ndarray, matrix: Any) -> Any:
    """Return a copy of `matrix` with zeros where the NumPy mask is False."""
    xp = matrix_namespace(matrix, mask.shape)
    # a selection, not a product: 0 * nan would put a nan outside the support
    return xp.where(move(mask, xp, device(matrix)), matrix, xp.zeros_like(matrix))
