"""Compiling loops with numba: where it is installed, cached where that is possible."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np


def can_compile() -> bool:
    """Whether numba is there, works with the installed NumPy, and is not switched off."""
    try:
        import numba
    except ImportError:
        return False
    return not numba.config.DISABLE_JIT


@cache
def compiled(module: str) -> ModuleType | None:
    """Import a module of numba loops; None where numba is missing or switched off.

    numba takes a third of a second to import, so that nothing imports it before the first use.
    """
    if not can_compile():
        return None
    _say_when_compiling()
    return import_module(module)


@contextmanager
def compilations(tell: Callable[[str, float], Any]) -> Generator[None]:
    """Tell the name and the seconds of each loop that is compiled meanwhile."""
    from numba.core import event

    started: list[float] = []

    class Clock(event.Listener):
        def on_start(self, event: Any) -> None:
            started.append(time.perf_counter())

        def on_end(self, event: Any) -> None:
            seconds = time.perf_counter() - started.pop()
            function = event.data["dispatcher"].py_func
            if not started:  # the parts of a loop are compiled meanwhile
                name = f"{function.__module__}.{function.__name__}"
                tell(name.removeprefix("skfact._kernels.").replace(".numba.", "."), seconds)

    with event.install_listener("numba:compile", Clock()):
        yield


@cache
def _say_when_compiling() -> None:
    """Log one line when the first loop is compiled, not when all of them are found on disk."""
    from numba.core import event

    class FirstCompilation(event.Listener):
        def on_start(self, event: Any) -> None:
            if self.told or not event.data["dispatcher"].py_func.__module__.startswith("skfact."):
                return
            self.told = True
            logging.getLogger("skfact").warning(
                "skfact compiles loops for this processor, some seconds at the first use of each "
                "with a precision, and keeps them on disk if it can write there; "
                "skfact.compile_kernels() does so beforehand."
            )

        def on_end(self, event: Any) -> None: ...

        told = False

    event.register("numba:compile", FirstCompilation())


OPTIONS: dict[str, Any] = {
    "nogil": True,
    "error_model": "numpy",
    "no_cfunc_wrapper": True,
    "fastmath": {"reassoc", "contract", "nsz", "arcp"},
}


def jit(function: Callable[..., Any]) -> Any:
    """Compile a loop at its first call for each dtype, without the GIL.

    No `fastmath=True`, which would allow LLVM to drop NaN; never `parallel=True`: its OpenMP layer
    kills forked children and its workqueue layer aborts under Python threads. A division by zero
    gives infinity: loops that watch for it to raise are slower. The machine code is kept on disk,
    beside the source or in the user's cache directory, if either can be written to.
    """
    import numba

    # numba compares the function's own file only; loops depend on neighbours, and on `kronecker`
    folders = Path(function.__code__.co_filename).parent, Path(__file__).parent / "kronecker"
    function.__qualname__ += f"-{_sources(*folders)}"
    try:
        return numba.njit(cache=True, **OPTIONS)(function)
    except RuntimeError:  # no directory to cache in
        return numba.njit(**OPTIONS)(function)


def inner(function: Callable[..., Any], *, inline: bool = False) -> Any:
    """Compile what only loops call, to be a part of each: neither for Python nor for the disk.

    `inline` puts it into its callers for sure: a call that passes ten arrays takes 20 ns. It is
    compiled by itself first, and again for each type that its arguments have; the first value of a
    variable, and a number as it is written, have types of their own: write ``np.int64(0)``.
    """
    import numba

    return numba.njit(no_cpython_wrapper=True, forceinline=inline, **OPTIONS)(function)


@cache
def _sources(*folders: Path) -> str:
    """What the modules of the folders say, in a few digits."""
    files = [file for folder in folders for file in sorted(folder.glob("*.py"))]
    return sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:8]


def as_if_writeable(array: np.ndarray) -> np.ndarray:
    """The same memory, for loops that do not write: read-only arrays have them compiled again."""
    return array if array.flags.writeable else np.asarray(_Memory(array))


class _Memory:
    """Memory of an array, whatever the array says about writing to it."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array  # keeps the memory
        address = array.__array_interface__["data"][0]
        self.__array_interface__ = {**array.__array_interface__, "data": (address, False)}
