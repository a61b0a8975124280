"""Imports, fits and factors with the installed package; run from an empty directory."""

from importlib.resources import files

import numpy as np
from scipy.linalg import hadamard

import skfact
from skfact.butterfly import butterfly_factorize

assert "site-packages" in skfact.__file__, skfact.__file__
assert files("skfact").joinpath("py.typed").is_file()
for kernel in ("number.cu", "apply/apply.cu", "low_rank_blocks/rank_one.cu"):
    assert files("skfact").joinpath("_kernels", kernel).is_file(), kernel
operator = butterfly_factorize(hadamard(16))
assert operator.nnz == 128
assert np.allclose(operator.toarray(), hadamard(16))
X = np.random.default_rng(0).normal(size=(20, 8))
assert skfact.ButterflyFactorizer(n_components=4).fit_transform(X).shape == (20, 4)
print("skfact", skfact.__version__, "from the wheel")
