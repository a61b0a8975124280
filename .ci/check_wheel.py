"""Imports, fits and factors with the installed package; run from an empty directory."""

from importlib import import_module
from importlib.resources import files

import numpy as np
from scipy.linalg import hadamard

import skfact
from skfact._kernels import _cuda
from skfact.butterfly import butterfly_factorize

assert "site-packages" in skfact.__file__, skfact.__file__
assert files("skfact").joinpath("py.typed").is_file()
assert _cuda.COMMON.is_file()
launchers = list(_cuda.COMMON.parent.glob("*/cuda.py"))
assert launchers
for launcher in launchers:
    source = import_module(f"skfact._kernels.{launcher.parent.name}.cuda").SOURCE
    assert source.is_file(), source
operator = butterfly_factorize(hadamard(16))
assert operator.nnz == 128
assert np.allclose(operator.toarray(), hadamard(16))
X = np.random.default_rng(0).normal(size=(20, 8))
assert skfact.ButterflyFactorizer(n_components=4).fit_transform(X).shape == (20, 4)
print("skfact", skfact.__version__, "from the wheel")
