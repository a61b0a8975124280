"""Quasi-Newton steps on the factors: never down, as far as an optimum that is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skfact.butterfly._factorize import factorize
from skfact.butterfly._subspace import energy as energy_module
from skfact.butterfly._subspace.ascent import raise_energy
from skfact.butterfly._subspace.energy import Energy
from skfact.operators import FactorizedOperator, KroneckerFactor
from skfact.supports import Chain
from tests.arrays import gaussian
from tests.asserts import assert_like, for_each


def unheard(*_):
    return False


def best(rows, rank):
    """What no row space of a dimension leaves less of (Eckart and Young)."""
    return np.linalg.norm(np.linalg.svd(rows, compute_uv=False)[rank:])


@given(
    st.integers(1, 12),
    st.integers(1, 12),
    st.integers(1, 20),
    st.sampled_from([("butterfly", 1), ("monarch", 1), ("low-rank", 1), ("butterfly", 2)]),
    st.sampled_from(["float32", "float64", "complex64", "complex128"]),
    st.integers(0, 2**32 - 1),
)
def test_never_down(n_out, n_in, n_rows, family, dtype, seed):
    random = np.random.default_rng(seed)
    W, rows = gaussian(random, (n_out, n_in), dtype), gaussian(random, (n_rows, n_in), dtype)
    start = factorize(W, family[0], rank=family[1]).unit
    energy = Energy(rows)
    found = raise_energy(start, energy, 30, unheard)
    assert found.operator.dtype == start.dtype and found.operator.nnz == start.nnz
    assert [f.shape for f in found.operator.factors] == [f.shape for f in start.factors]
    outside = energy.outside(found.operator.toarray())
    assert_allclose(found.outside, outside, rtol=1e-12)
    assert outside <= energy.outside(start.toarray())
    assert outside >= best(rows.astype(complex), min(n_out, n_in)) - 1e-4 * energy.norm


@for_each("dtype", ["float64", "complex128"])
@for_each("rank, n_out", [(1, 1), (2, 4), (3, 3), (5, 12)])
def test_the_optimum_of_low_rank_is_that_of_principal_components(rank, n_out, dtype):
    """From a random start, with dependent rows where the rank is below their number."""
    random = np.random.default_rng(0)
    rows = gaussian(random, (20, 8), dtype) @ np.diag(np.geomspace(1, 0.01, 8))
    chain = Chain.low_rank(n_out, 8, rank)
    values = [gaussian(random, (p.a, p.d, p.b, p.c), dtype) for p in chain]
    start = FactorizedOperator([KroneckerFactor(v, p) for v, p in zip(values, chain, strict=True)])
    found = raise_energy(start, Energy(rows), 500, unheard)
    assert found.converged
    assert_allclose(found.outside, best(rows, rank), rtol=1e-2)


def test_rows_that_a_start_does_not_use():
    """Components of zero are put to use."""
    rows = gaussian(np.random.default_rng(1), (20, 16))
    start = factorize(np.eye(8, 16) * (np.arange(8) < 4)[:, None], "monarch").unit
    energy = Energy(rows)
    assert energy.rank(start.toarray()) == 4
    found = raise_energy(start, energy, 100, unheard)
    assert energy.rank(found.operator.toarray()) > 4
    assert found.outside < 0.9 * energy.outside(start.toarray())


def test_a_sparse_optimum_is_kept():
    """Rows that a butterfly holds: nothing is left to win."""
    product = factorize(gaussian(np.random.default_rng(2), (8, 16)), "butterfly").unit
    found = raise_energy(product, Energy(product.toarray()), 50, unheard)
    assert found.operator is product and found.n_iter == 0 and found.converged
    assert found.outside < 1e-12


@pytest.mark.parametrize("exponent", [-900, 900])
def test_scale_of_rows_and_start(exponent):
    random = np.random.default_rng(3)
    rows, start = gaussian(random, (20, 16)), factorize(gaussian(random, (6, 16)), "monarch").unit
    energies = Energy(rows), Energy(np.ldexp(rows, exponent))
    plain, scaled = (raise_energy(start, energy, 50, unheard) for energy in energies)
    lost = (found.outside / energy.norm for found, energy in zip((plain, scaled), energies))
    assert_allclose(*lost, rtol=1e-3)
    norm = np.linalg.norm
    assert_allclose(norm(plain.operator.toarray()), norm(start.toarray()), rtol=1e-12)


def test_who_listens_ends_it():
    random = np.random.default_rng(4)
    rows, start = gaussian(random, (20, 16)), factorize(gaussian(random, (6, 16)), "monarch").unit
    energy, told = Energy(rows), []

    def until_three(number, outside):
        told.append((number, outside))
        return number == 3

    found = raise_energy(start, energy, 50, until_three)
    assert [number for number, _ in told] == [1, 2, 3] and found.n_iter == 3 and found.converged
    assert_allclose(told[-1][1], found.outside, rtol=1e-6)
    assert raise_energy(start, energy, 2, unheard).converged is False
    nothing = raise_energy(start, energy, 0, unheard)
    assert nothing.operator is start and nothing.n_iter == 0


def test_other_libraries(asarray):
    random = np.random.default_rng(5)
    rows, W = gaussian(random, (20, 16)), gaussian(random, (6, 16))
    plain = raise_energy(factorize(W, "monarch").unit, Energy(rows), 5, unheard)
    start = factorize(asarray(W), "monarch").unit
    found = raise_energy(start, Energy(asarray(rows)), 5, unheard)
    assert_like(found.operator.toarray(), start.toarray(), plain.operator.toarray(), atol=1e-6)


@for_each("dtype", ["float32", "float64"])
def test_without_the_products_of_all_pairs(monkeypatch, dtype):
    """As for many features, in the precision of the rows."""
    random = np.random.default_rng(7)
    rows = (gaussian(random, (20, 32)) @ np.diag(np.geomspace(1, 0.1, 32))).astype(dtype)
    start = factorize(np.linalg.svd(rows, full_matrices=False)[2][:8], "monarch").unit
    with_them = raise_energy(start, Energy(rows), 100, unheard)
    monkeypatch.setattr(energy_module, "FEW_FEATURES", 0)
    energy = Energy(rows)
    found = raise_energy(start, energy, 100, unheard)
    assert found.operator.dtype == start.dtype == dtype
    assert found.outside < 0.99 * energy.outside(start.toarray())
    assert_allclose(found.outside, with_them.outside, rtol=0.01)


def test_same_input_same_bits():
    random = np.random.default_rng(6)
    rows, start = gaussian(random, (20, 16)), factorize(gaussian(random, (6, 16)), "butterfly").unit
    kept = rows.copy()
    one, other = (raise_energy(start, Energy(rows), 20, unheard).operator for _ in range(2))
    assert_array_equal(one.toarray(), other.toarray())
    assert_array_equal(rows, kept)
