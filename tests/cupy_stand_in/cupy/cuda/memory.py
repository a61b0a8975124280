"""The error of a device that is full."""


class OutOfMemoryError(MemoryError):
    """As CuPy words it."""

    def __init__(self, size: int, total: int, limit: float) -> None:
        super().__init__(
            f"Out of memory allocating {size:,} bytes (allocated so far: {total:,} bytes, limit "
            f"set to: {limit:,} bytes)."
        )
