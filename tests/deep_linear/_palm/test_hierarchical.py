"""Hierarchical PALM: recovery within budgets, with and without noise."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.linalg import hadamard
from sklearn.exceptions import ConvergenceWarning

from skfact._backend import array_namespace, to_numpy
from skfact._stopping import Stopping
from skfact.butterfly import butterfly_factorize
from skfact.deep_linear import hierarchical_palm
from skfact.deep_linear._factor_sets.factor_set import factor_set
from skfact.deep_linear._palm.hierarchical import falls_behind
from skfact.deep_linear._palm.start import Splits
from skfact.deep_linear._palm.sweeps import Objective, sweep_factors
from skfact.exceptions import StructureWarning
from skfact.supports import Chain, KSparse

pytestmark = pytest.mark.filterwarnings("ignore:The last refinement did not converge")


def relative_error(operator, A):
    return np.linalg.norm(operator.toarray() - A) / np.linalg.norm(A)


@pytest.mark.parametrize("n, init", [(8, "auto"), (64, "auto"), (32, "identity")])
def test_hadamard_is_exact_with_two_entries_per_row(n, init):
    operator, losses = hierarchical_palm(hadamard(n), init=init, return_loss=True)
    assert [factor.nnz for factor in operator.factors] == [2 * n] * (n.bit_length() - 1)
    assert relative_error(operator, hadamard(n)) < 1e-12
    assert losses.shape == (n.bit_length() - 2,)


@pytest.mark.parametrize("noise", [1e-9, 0.1])
def test_noise_breaks_the_identity_start_and_not_the_chain(noise):
    A = hadamard(16) + noise * np.random.default_rng(0).standard_normal((16, 16))
    closed_form = relative_error(butterfly_factorize(A), A)
    assert relative_error(hierarchical_palm(A), A) <= 1.01 * closed_form
    with pytest.warns(StructureWarning, match="relative error"):
        assert relative_error(hierarchical_palm(A, init="identity"), A) > 0.5


@pytest.mark.parametrize("residual", ["left", "right"])
@pytest.mark.parametrize("shape", [(12, 10), (5, 16), (1, 3), (1, 1)])
def test_budgets_hold_for_every_shape(residual, shape):
    A = np.random.default_rng(1).standard_normal(shape)
    n_factors = 3 if min(shape) > 1 else None
    operator = hierarchical_palm(A, n_factors=n_factors, k=3, residual=residual, max_iter=5)
    assert operator.shape == shape
    for factor in operator.factors:
        matrix = factor.toarray()
        assert np.count_nonzero(matrix) <= 3 * sum(matrix.shape)
    assert relative_error(operator, A) <= 1 + 1e-12


def test_right_residual_is_the_left_one_of_the_transpose():
    A = np.random.default_rng(2).standard_normal((6, 8))
    left = hierarchical_palm(A.T, n_factors=3, max_iter=5)
    right = hierarchical_palm(A, n_factors=3, residual="right", max_iter=5)
    assert_allclose(right.toarray(), left.toarray().T, atol=1e-8)


def test_masks_of_residuals_are_those_of_their_side():
    A = np.random.default_rng(2).standard_normal((6, 8))
    factors = [KSparse(20), KSparse(16), KSparse(20)]
    mask = np.tri(5, 8) > 0  # between the first factor, with 5 columns, and A
    options = {"inner_sizes": [5, 4], "max_iter": 5}
    right = hierarchical_palm(A, factors, [mask], residual="right", **options)
    options["inner_sizes"] = [4, 5]
    left = hierarchical_palm(A.T, factors[::-1], [mask.T], **options)
    assert_allclose(right.toarray(), left.toarray().T, atol=1e-8)


def test_lists_of_budgets_complex_matrices_and_every_namespace(asarray):
    host = np.fft.fft(np.eye(8))[:, [0, 4, 2, 6, 1, 5, 3, 7]]
    A = asarray(host)
    operator = hierarchical_palm(
        A, [KSparse(2, axis=(0, 1))] * 3, [KSparse(4, axis=1)], init="chain"
    )
    assert array_namespace(operator.toarray()) is array_namespace(A)
    assert_allclose(to_numpy(operator.toarray()), host, atol=1e-10)
    assert_allclose(to_numpy(A), host)


def test_zero_matrix_and_verbose(capsys):
    operator = hierarchical_palm(np.zeros((8, 8)), verbose=1)
    assert not np.any(operator.toarray())
    assert capsys.readouterr().out.count("level") == 2


@pytest.mark.parametrize(
    "options, message",
    [
        ({"n_factors": 0}, "n_factors must be at least 1"),
        ({"n_factors": 10**30}, "n_factors must be at most 1000"),
        ({"k": 0}, "k must be at least 1"),
        ({"supports": [KSparse(2)] * 3, "n_factors": 2}, "contradicts"),
        ({"n_factors": 3, "residual_supports": [KSparse(2)] * 2}, "must have 1 supports"),
        ({"residual": "top"}, "residual must be one of"),
        ({"init": "zero"}, "init must be one of"),
        ({"n_factors": 4, "init": "chain"}, "init='chain' needs"),
        ({"supports": "low-rank", "init": "chain", "n_factors": 3}, "contradicts"),
    ],
)
def test_wrong_arguments_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        hierarchical_palm(np.ones((8, 8)), **options)


@pytest.mark.parametrize("value", ["no", None, np.nan, [True], 1])
def test_return_loss_is_a_flag(value):
    with pytest.raises(TypeError, match="return_loss must be True or False"):
        hierarchical_palm(np.ones((8, 8)), return_loss=value)
    assert len(hierarchical_palm(hadamard(8), return_loss=np.True_)) == 2


def test_unfinished_runs_warn_unless_all_sweeps_were_asked_for(recwarn):
    A = np.random.default_rng(0).standard_normal((8, 8))
    with pytest.warns(ConvergenceWarning, match="3 sweeps"):
        hierarchical_palm(A, max_iter=3)
    recwarn.clear()
    hierarchical_palm(A, max_iter=3, tol=0)
    hierarchical_palm(hadamard(8), max_iter=12)
    assert not recwarn.list


def test_sweeps_end_where_nothing_moves():
    noise = np.random.default_rng(0).standard_normal((16, 16))
    A = hadamard(16) + 0.1 * noise
    pair = [factor_set(KSparse(k, axis=(0, 1)), (16, 16)) for k in (8, 2)]
    (start,) = Splits(Chain.butterfly(16), False, 1.0).starts(A, pair, 3)
    few, many = (sweep_factors(Objective(A), pair, start, Stopping(30, tol)) for tol in (1e-4, 0))
    assert len(few.losses) == 3 and len(many.losses) == 31
    assert_allclose(few.losses[-1], many.losses[-1], rtol=1e-12)


def test_runs_fall_behind_where_ten_sweeps_at_their_rate_are_too_few():
    losses = [8.0, 4.0, 2.0, 1.5, 1.4, 1.35]
    told = falls_behind(0.4, 100)
    # rates (8 - 2) / 2, (4 - 1.5) / 2, (2 - 1.4) / 2 and (1.5 - 1.35) / 2
    assert [told(*pair) for pair in enumerate(losses, 1)] == [False] * 5 + [True]
    told = falls_behind(0.4, 7)  # two sweeps are left after the fifth
    assert [told(*pair) for pair in enumerate(losses[:5], 1)] == [False] * 4 + [True]
