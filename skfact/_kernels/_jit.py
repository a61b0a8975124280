"""Compiling loops with numba: where it is installed, cached where that is possible."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any


@cache
def compiled(module: str) -> ModuleType | None:
    """Import a module of numba loops; None where numba is missing or switched off.

    numba takes a third of a second to import, so that nothing imports it before the first use.
    """
    try:
        import numba
    except ImportError:  # also raised by a numba that does not support the installed NumPy
        return None
    return None if numba.config.DISABLE_JIT else import_module(module)


def jit(function: Callable[..., Any], *, inline: bool = False) -> Any:
    """Compile a loop at its first call for each dtype, without the GIL.

    `inline` puts it into the loops that call it: a call that passes ten arrays takes 20 ns.
    No `fastmath=True`, which would allow LLVM to drop NaN; never `parallel=True`: its OpenMP layer
    kills forked children and its workqueue layer aborts under Python threads. A division by zero
    gives infinity: loops that watch for it to raise are slower. The machine code is kept on disk,
    beside the source or in the user's cache directory, if either can be written to.
    """
    import numba

    options = {
        "nogil": True,
        "error_model": "numpy",
        "forceinline": inline,
        "fastmath": {"reassoc", "contract", "nsz", "arcp"},
    }
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # no directory to cache in
        return numba.njit(**options)(function)
