"""What functions print on the way, where `verbose` asks for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from skfact._checks import check_verbose


def printer(verbose: Any, name: str) -> Callable[[int, str], None] | None:
    """A function (number, text) of the steps of a run, which prints every `verbose`-th; or None."""
    check_verbose(verbose)
    if not verbose:
        return None

    def show(number: int, text: str) -> None:
        if number % verbose == 0:
            print(f"[{name}] {text}")  # noqa: T201

    return show


def error_printer(verbose: Any, name: str, step: str) -> Callable[[int, float], None] | None:
    """The same for steps (number, relative error)."""
    show = printer(verbose, name)
    if show is None:
        return None
    return lambda number, error: show(number, f"{step} {number}, relative error {error:.6g}")
