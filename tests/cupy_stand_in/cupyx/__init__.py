"""What CuPy has beyond NumPy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

_linalg: list[str | None] = [None]


@contextmanager
def errstate(*, linalg: str | None = None) -> Iterator[None]:
    """Whether linear algebra raises where it fails, for which the host waits."""
    _linalg.append(linalg)
    try:
        yield
    finally:
        _linalg.pop()


def linalg_raises() -> bool:
    return _linalg[-1] == "raise"
