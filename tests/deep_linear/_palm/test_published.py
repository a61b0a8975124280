"""PALM4MSA as published, against the algorithm written out."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.linalg import hadamard

from skfact.deep_linear import ToeplitzFactor, palm4msa
from skfact.supports import Chain, FixedMask, KSparse
from tests.asserts import assert_like

# these tests are about the steps, not the fit
pytestmark = pytest.mark.filterwarnings("ignore:The .* numbers in the factors")

OFF_DIAGONAL = np.roll(np.tri(6), 1, axis=1) > 0  # the identity is not within
SUPPORTS = {
    "budgets": [KSparse(20), KSparse(4, axis=1), KSparse(3, axis=0)],
    "masks": [OFF_DIAGONAL, np.tri(6) > 0, OFF_DIAGONAL[:, :5]],
    "a structure": [KSparse(4, axis=(0, 1)), ToeplitzFactor(6, 5)],
}


def published(A, sets, max_iter, order="left-to-right"):
    """Algorithm 2 of Le Magoarou and Gribonval, with alpha = 1e-3."""
    m, n = A.shape
    S = [np.eye(m, dtype=A.dtype) for _ in sets[:-1]] + [np.eye(m, n, dtype=A.dtype)]
    order = range(len(S)) if order == "left-to-right" else range(len(S))[::-1]
    S[order[0]] = np.zeros_like(S[order[0]])
    scale = 1.0
    for _ in range(max_iter):
        for j in order:
            L, R = np.eye(m), np.eye(n)
            for factor in S[:j]:
                L = L @ factor
            for factor in S[:j:-1]:
                R = factor @ R
            c = 1.001 * scale**2 * np.linalg.norm(L, 2) ** 2 * np.linalg.norm(R, 2) ** 2
            error = scale * L @ S[j] @ R - A
            moved = S[j] - scale * L.conj().T @ error @ R.conj().T / c
            S[j] = sets[j](moved)
            S[j] = S[j] / np.linalg.norm(S[j])
        product = np.linalg.multi_dot(S)
        scale = np.vdot(product, A).real / np.linalg.norm(product) ** 2
    return scale * product


def projections(supports):
    def toeplitz(M):
        m, n = M.shape
        return sum(np.mean(np.diagonal(M, k)) * np.eye(m, n, k) for k in range(1 - m, n))

    return [
        toeplitz
        if isinstance(one, ToeplitzFactor)
        else (one if isinstance(one, KSparse) else FixedMask(one)).project
        for one in supports
    ]


@pytest.mark.parametrize("name", SUPPORTS)
@pytest.mark.parametrize("order", ["left-to-right", "right-to-left"])
@pytest.mark.parametrize("size", [1.0, 300.0, 1e-3])
def test_sweeps_are_those_of_the_paper(name, order, size):
    A = size * np.random.default_rng(1).standard_normal((6, 5))
    sizes = [6] * (len(SUPPORTS[name]) - 1)
    for max_iter in (1, 2, 7):
        operator, losses = palm4msa(
            A,
            SUPPORTS[name],
            inner_sizes=sizes,
            init="published",
            order=order,
            max_iter=max_iter,
            tol=0,
            return_loss=True,
        )
        expected = published(A, projections(SUPPORTS[name]), max_iter, order)
        assert_allclose(operator.toarray(), expected, atol=1e-12 * np.linalg.norm(A))
        assert_allclose(losses[-1], np.linalg.norm(A - expected) ** 2, rtol=1e-10)
        assert len(losses) == max_iter + 1


def test_complex_chain_and_every_namespace(asarray):
    random = np.random.default_rng(0)
    host = random.standard_normal((8, 8)) + 1j * random.standard_normal((8, 8))
    sets = [FixedMask(pattern.mask()).project for pattern in Chain.butterfly(8)]
    A = asarray(host)
    found = palm4msa(A, "butterfly", init="published", max_iter=3, tol=0).toarray()
    assert_like(found, A, published(host, sets, 3), atol=1e-12 * np.linalg.norm(host))


def test_hadamard_is_exact_and_the_usual_start_is_the_same_at_scale_one():
    H = hadamard(8)
    for init in ("published", None):
        assert_allclose(palm4msa(H, "butterfly", init=init).toarray(), H, atol=1e-12)
    A = np.random.default_rng(0).standard_normal((6, 5))
    A /= np.sqrt(np.mean(A**2))
    supports = SUPPORTS["budgets"]
    runs = [
        palm4msa(A, supports, inner_sizes=[6, 6], init=init, max_iter=1, tol=0).toarray()
        for init in (None, "published")
    ]
    assert_allclose(*runs, atol=1e-3)


def test_float32_stays_and_masks_far_from_the_identity_start_at_zero():
    A = np.random.default_rng(0).standard_normal((6, 6)).astype(np.float32)
    assert palm4msa(A, [OFF_DIAGONAL] * 2, init="published", max_iter=3, tol=0).dtype == np.float32
    with pytest.warns(match="whose product is zero"):  # as published: nothing else is tried
        palm4msa([[0.0, 1.0, 2.0]], [KSparse(1), KSparse(2)], inner_sizes=[1], init="published")
