"""The compiler of kernels."""


def getVersion() -> tuple[int, int]:
    return 13, 0
