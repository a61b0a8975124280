"""Sweeps of PALM over Kronecker-sparse factors (the generic ones: deep_linear/_palm/sweeps.py)."""

from skfact._kernels.palm.dispatch import (
    FIRST_STEPS,
    LATER_STEPS,
    MARGIN,
    MAX_BACKTRACKS,
    PRECISION,
    CompiledSweeps,
    is_compiled_for,
    start_vector,
)

__all__ = [
    "FIRST_STEPS",
    "LATER_STEPS",
    "MARGIN",
    "MAX_BACKTRACKS",
    "PRECISION",
    "CompiledSweeps",
    "is_compiled_for",
    "start_vector",
]
