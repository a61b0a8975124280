"""What many tests need: an assertion for arrays of any library, and properties over a range."""

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import hypothesis
import numpy as np
import pytest
from numpy.testing import assert_allclose

from skfact._backend import array_namespace, device, to_numpy

# For what holds on matrices without structure, too, which factors are of no use for.
on_any_matrix = pytest.mark.filterwarnings("ignore::skfact.exceptions.StructureWarning")


def assert_like(
    found: Any,
    given: Any,
    expected: Any = None,
    *,
    dtype: Any = None,
    rtol: float = 0,
    atol: float = 0,
) -> None:
    """`found` lives in the library, on the device and in the precision of the array `given`.

    With `dtype`, a name or a dtype of the library, in that precision instead; with `expected`, an
    array on the host, it has its shape and, within the tolerances, its values.
    """
    xp = array_namespace(given)
    assert array_namespace(found) is xp
    assert device(found) == device(given)
    if dtype is None:
        dtype = given.dtype
    assert found.dtype == (getattr(xp, dtype) if isinstance(dtype, str) else dtype)
    if expected is not None:
        assert found.shape == np.shape(expected)
        assert_allclose(to_numpy(found), expected, rtol=rtol, atol=atol)


@contextmanager
def about(subject: str) -> Iterator[None]:
    """Say with a failure what it is about."""
    try:
        yield
    except BaseException as error:  # a failed `pytest.raises` is no Exception
        error.add_note(f"for {subject}")
        raise


def at_most(count: int) -> hypothesis.settings:
    """So many cases of a property, or as few as in a quick run."""
    return hypothesis.settings(max_examples=min(count, hypothesis.settings.default.max_examples))


def for_each(names: str, values: Iterable[Any]) -> Callable[[Callable[..., None]], Any]:
    """Hold a property for every value in one test, where `parametrize` makes a test of each.

    A failure names the value. The values share the fixtures of the test.
    """
    keys, values = names.split(", "), list(values)

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(test)
        def loop(*args: Any, **kwargs: Any) -> None:
            for value in values:
                parts = value if len(keys) > 1 else (value,)
                with about(f"{names} = {value!r}"):
                    test(*args, **kwargs, **dict(zip(keys, parts, strict=True)))

        signature = inspect.signature(test)
        others = [p for name, p in signature.parameters.items() if name not in keys]
        loop.__signature__ = signature.replace(parameters=others)  # type: ignore[attr-defined]
        return loop

    return decorate
