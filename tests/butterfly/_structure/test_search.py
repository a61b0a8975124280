"""The best structure under a budget, against what is known and against a look at everything."""

import numpy as np
import pytest
import scipy.fft
import scipy.linalg

from skfact.butterfly._factorize import factorize
from skfact.butterfly._structure.search import best_structures, rich_size
from skfact.supports._radices import padded_size
from tests.arrays import gaussian
from tests.asserts import for_each, on_any_matrix

SIDE = 64
DISTANCE = np.abs(np.subtract.outer(np.arange(float(SIDE)), np.arange(float(SIDE))))
GRID = np.linspace(0, 1, SIDE)
MATRICES = {
    "dft": np.fft.fft(np.eye(SIDE)),
    "rfft": np.fft.rfft(np.eye(SIDE)).T,
    "dct": scipy.fft.dct(np.eye(SIDE), norm="ortho"),
    "hadamard": scipy.linalg.hadamard(SIDE).astype(float),
    "toeplitz": (1 + DISTANCE) ** -0.5,
    "green": np.minimum.outer(GRID, GRID) * (1 - np.maximum.outer(GRID, GRID)),
    "gaussian": gaussian(np.random.default_rng(0), (96, 40)),
}


def realised(A, structure):
    return factorize(
        A, structure.chain, permutation=structure.permutation, order="left-to-right"
    ).relative_error


@on_any_matrix
@pytest.mark.parametrize("name", MATRICES)
@for_each("share", [0.125, 0.25, 0.5])
def test_a_few_blocks_do_as_well_as_all(name, share):
    A = MATRICES[name]
    budget = int(share * A.size)
    thorough, *_ = best_structures(A, budget, thorough=True)
    found = best_structures(A, budget)
    assert all(structure.chain.nnz <= budget for structure in found)
    error = realised(A, found[0])
    assert error <= 1.2 * realised(A, thorough) + 0.01
    assert error <= 1.02 * realised(A, found[-1]) + 1e-6  # low rank, if it is not the best
    assert 0.7 * found[0].estimate - 1e-6 <= error <= 1.1 * found[0].estimate + 1e-6


@for_each("name, share", [("dft", 0.19), ("hadamard", 0.19), ("rfft", 0.4), ("dct", 0.8)])
def test_exact_structures(name, share):
    A = MATRICES[name]
    assert realised(A, best_structures(A, int(share * A.size))[0]) < 1e-14


@on_any_matrix
def test_budgets_of_all_sizes():
    A = gaussian(np.random.default_rng(1), (12, 7))
    assert best_structures(A, 3) == []
    for budget in (19, 40, 60):
        for structure in best_structures(A, budget):
            assert structure.chain.nnz <= budget
    for zeros in (np.zeros((16, 16)), np.ones((16, 16))):
        assert best_structures(zeros, 64)[0].estimate < 1e-7


@for_each("n", range(1, 400))
def test_rich_sizes(n):
    assert n <= rich_size(n) <= max(1.12 * n, n)
    assert (rich_size(129), rich_size(1941), rich_size(258)) == (144, 1944, 270)
    assert rich_size(2**8) == 256 and padded_size(n) >= n


def test_arrays_of_any_library(asarray):
    A = MATRICES["dft"].astype("complex64")
    found = best_structures(asarray(A), 800)[0]
    assert found.permutation == "columns" and realised(A, found) < 1e-5
