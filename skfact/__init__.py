"""Linear maps as products of sparse factors, as scikit-learn estimators and fast operators."""

from importlib import import_module

TYPE_CHECKING = False  # importing `typing` costs more than the rest of this file
if TYPE_CHECKING:
    from typing import Any

    from skfact import (
        butterfly,
        compression,
        datasets,
        deep_linear,
        exceptions,
        export,
        fixed_support,
        inspection,
        operators,
        relu,
        supports,
        transforms,
    )
    from skfact._compile_kernels import compile_kernels
    from skfact.butterfly import ButterflyFactorizer
    from skfact.deep_linear import SparseDeepLinearNet
    from skfact.fixed_support import FixedSupportMF
    from skfact.relu import ReLUPathEmbedding
    from skfact.transforms import FastRandomProjection

__version__ = "0.1.0"

__all__ = [
    "ButterflyFactorizer",
    "FastRandomProjection",
    "FixedSupportMF",
    "ReLUPathEmbedding",
    "SparseDeepLinearNet",
    "__version__",
    "butterfly",
    "compile_kernels",
    "compression",
    "datasets",
    "deep_linear",
    "exceptions",
    "export",
    "fixed_support",
    "inspection",
    "operators",
    "relu",
    "supports",
    "transforms",
]

# public name -> where it lives: a subpackage, imported when used, or what is in one
_HOMES = {
    "ButterflyFactorizer": "skfact.butterfly",
    "FastRandomProjection": "skfact.transforms",
    "FixedSupportMF": "skfact.fixed_support",
    "ReLUPathEmbedding": "skfact.relu",
    "SparseDeepLinearNet": "skfact.deep_linear",
    "butterfly": "skfact",
    "compile_kernels": "skfact._compile_kernels",
    "compression": "skfact",
    "datasets": "skfact",
    "deep_linear": "skfact",
    "exceptions": "skfact",
    "export": "skfact",
    "fixed_support": "skfact",
    "inspection": "skfact",
    "operators": "skfact",
    "relu": "skfact",
    "supports": "skfact",
    "transforms": "skfact",
    "torch": "skfact",  # not in __all__: `from skfact import *` does not import PyTorch
}


def __getattr__(name: str) -> "Any":
    """Import a public name when it is first asked for (PEP 562)."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if home == __name__:
        return import_module(f"{__name__}.{name}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
