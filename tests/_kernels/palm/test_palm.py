"""The compiled sweeps of PALM, held against the generic ones."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skfact._kernels.palm.dispatch import CompiledSweeps
from skfact.deep_linear._factor_sets.resolve import resolve_factor_sets
from skfact.deep_linear._palm.sweeps import GenericSweeps, Objective, Start, start_sweeps
from skfact.supports import Chain
from tests.arrays import DTYPES, gaussian
from tests.asserts import for_each

CHAINS = {
    "butterfly": Chain.butterfly(8),
    "radices of many sizes": Chain.deformable((2, 5, 3), (3, 1, 4), (2, 2)),
    "one row": Chain.low_rank(1, 6, 2),
    "one column": Chain.low_rank(6, 1, 2),
    "one factor": Chain.dense(5, 4),
    "block-diagonal": Chain([(2, 2, 2, 3), (4, 3, 3, 1)]),
}


def both_ways(chain, A):
    """Compiled and generic sweeps from the same random factors."""
    pytest.importorskip("numba")
    sets = resolve_factor_sets(chain, A.shape, A)
    random = np.random.default_rng(1)
    values = [gaussian(random, (p.a, p.d, p.b, p.c), A.dtype) for p in chain]
    values = [value / np.linalg.norm(value) for value in values]
    given = Objective(A), sets, Start(values, 1.0), 1e-30
    runs = [make(*given) for make in (start_sweeps, GenericSweeps)]
    assert isinstance(runs[0], CompiledSweeps)
    return runs


@pytest.mark.parametrize("name", CHAINS)
@for_each("dtype", DTYPES)
def test_they_are_the_generic_ones(name, dtype):
    chain = CHAINS[name]
    A = gaussian(np.random.default_rng(0), chain.shape, dtype)
    compiled, generic = both_ways(chain, A)
    tolerance = 2e3 * np.finfo(dtype).eps
    for check in (False, True, True):
        for run in (compiled, generic):
            assert not run.sweep(check)
        assert_allclose(compiled.loss, generic.loss, atol=tolerance * np.linalg.norm(A) ** 2)
        assert_allclose(compiled.scale, generic.scale, rtol=tolerance)
        for found, expected in zip(compiled.values, generic.values, strict=True):
            assert found.dtype == dtype
            assert_allclose(found, expected, atol=tolerance)


def test_checked_steps_never_raise_the_loss():
    chain = CHAINS["radices of many sizes"]
    for run in both_ways(chain, gaussian(np.random.default_rng(2), chain.shape)):
        losses = [run.loss]
        for _ in range(30):
            run.sweep(check=True)
            losses.append(run.loss)
        assert (np.diff(losses) <= 1e-12 * losses[0]).all()


def test_nothing_but_zeros_to_fit():
    """The scale falls to zero, the factors stay."""
    for run in both_ways(Chain.butterfly(4), np.zeros((4, 4))):
        assert not run.sweep(check=True)
        assert (run.scale, run.loss) == (0, 0)
        assert_allclose([np.linalg.norm(value) for value in run.values], 1)


def test_the_target_is_left_alone():
    A = gaussian(np.random.default_rng(3), (8, 8))
    before = A.copy()
    A.flags.writeable = False
    compiled, _ = both_ways(Chain.butterfly(8), A)
    compiled.sweep(check=False)
    assert (before == A).all()
