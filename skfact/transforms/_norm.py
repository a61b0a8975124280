"""Scales of transforms, by SciPy's names."""

from __future__ import annotations

from typing import Any

from skfact._checks import check_choice


def norm_scale(norm: Any, length: int) -> float:
    """What the unscaled transform is multiplied by; `length` is that of forth and back."""
    check_choice(norm, "norm", ("backward", "ortho", "forward"))
    return {"backward": 1.0, "ortho": length**-0.5, "forward": 1 / length}[norm]
