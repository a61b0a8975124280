"""What all estimators do at the door: seeds, and tensors that are part of a graph of autograd."""

import copy
import io
import pickle
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline

from skfact import ButterflyFactorizer, FixedSupportMF, ReLUPathEmbedding, SparseDeepLinearNet
from skfact._samples import clone_with_seed
from skfact.butterfly import butterfly_factorize, split_errors
from skfact.datasets import make_butterfly
from skfact.deep_linear import palm4msa
from skfact.fixed_support import fixed_support_factorize, is_locally_identifiable
from skfact.relu import path_sketch
from skfact.supports import KSparse
from tests.asserts import about, for_each, on_any_matrix

RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((20, 6))
Y = X @ RANDOM.standard_normal((6, 2))

ESTIMATORS = {
    "matrix": ButterflyFactorizer(supports="dense"),
    "components": ButterflyFactorizer(3, supports="monarch"),
    "sparse factors": FixedSupportMF(3),
    "alternating": FixedSupportMF(3, supports="overlapping-groups", alpha=0.5, max_iter=500),
    "missing": FixedSupportMF(1, missing_values=0.0),
    "regression": SparseDeepLinearNet("dense"),
    "ridge": SparseDeepLinearNet("dense", alpha=0.1),
    "adam": SparseDeepLinearNet("dense", solver="adam", learning_rate_init=0.1, tol=1e-2),
    "budgets": SparseDeepLinearNet([KSparse(8), KSparse(8)], max_iter=500, tol=1e-2),
    "paths": ReLUPathEmbedding(),
    "largest paths": ReLUPathEmbedding(hidden_layer_sizes=(4, 3), n_paths=7),
}


class Tensors(pickle.Pickler):
    """Finds every tensor in an object."""

    def __init__(self):
        super().__init__(io.BytesIO())
        self.found = []

    def persistent_id(self, item):
        if not isinstance(item, type) and type(item).__module__.startswith("torch"):
            self.found.append(item)
            return 1
        return None


@on_any_matrix
@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_fit_keeps_no_graph_of_autograd(name):
    torch = pytest.importorskip("torch")
    tensors = {"X": torch.tensor(X), "y": torch.tensor(Y)}
    for tensor in tensors.values():
        tensor.requires_grad_()
    # part of a graph, as the output of a layer is
    samples, targets = 2 * tensors["X"], 2 * tensors["y"]
    estimator = clone(ESTIMATORS[name])
    torch.set_warn_always(True)
    try:  # a warning that a graph is left is an error here
        estimator.fit(samples, targets)
        if isinstance(estimator, SparseDeepLinearNet):
            estimator.score(samples, targets)
        elif hasattr(estimator, "score"):
            estimator.score(samples)
    finally:
        torch.set_warn_always(False)
    tensors = Tensors()
    tensors.dump(vars(estimator))
    assert tensors.found
    assert not any(tensor.requires_grad for tensor in tensors.found if torch.is_tensor(tensor))
    duplicate = copy.deepcopy(estimator)
    # what it makes of other samples is still a function of them, but for gates
    codes = duplicate.transform(samples)
    assert codes.requires_grad or name == "largest paths"
    np.testing.assert_array_equal(codes.detach(), estimator.transform(samples.detach()))


def test_batches_and_weights_keep_no_graph():
    torch = pytest.importorskip("torch")
    samples, targets = torch.tensor(X), torch.tensor(Y)
    weights = torch.ones(20, dtype=torch.float64)
    for tensor in (samples, targets, weights):
        tensor.requires_grad_()
    estimator = SparseDeepLinearNet("dense")
    for _ in range(2):
        estimator.partial_fit(samples, targets, sample_weight=weights)
    estimator.fit(samples, targets, sample_weight=weights)
    copy.deepcopy(estimator)


def test_operators_and_lists_of_tensors():
    torch = pytest.importorskip("torch")
    operator = torch.eye(6, dtype=torch.float64, requires_grad=True)
    fitted = ButterflyFactorizer(operator=operator, supports="dense").fit(2 * operator)
    assert not fitted.components_.requires_grad
    rows = ButterflyFactorizer(supports="dense").fit([*torch.tensor(X, requires_grad=True)])
    np.testing.assert_allclose(rows.components_, X)
    op = butterfly_factorize(2 * operator, "monarch")
    assert not op.toarray().requires_grad
    assert split_errors(2 * operator).shape == (1,)


DRAWS = {
    "make_butterfly": lambda seed: make_butterfly(8, random_state=seed),
    "palm4msa": lambda seed: palm4msa(X, [KSparse(9), KSparse(9)], random_state=seed),
    "fixed_support_factorize": lambda seed: fixed_support_factorize(
        X, np.ones((20, 2)), np.ones((2, 6)), random_state=seed
    ),
    "is_locally_identifiable": lambda seed: is_locally_identifiable(
        np.tri(3), np.ones((3, 3)), random_state=seed
    ),
    "path_sketch": lambda seed: path_sketch(([X.T, Y], None), 3, random_state=seed),
    **{
        name: lambda seed, name=name: (
            clone(ESTIMATORS[name]).set_params(random_state=seed).fit(X, Y)
        )
        for name in ESTIMATORS
    },
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_a_wrong_seed_is_named(draw):
    """Whether anything is drawn or not."""
    for seed in (-1, 2**32, "seed", 0.5, [1, -2]):
        with about(repr(seed)), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with pytest.raises(ValueError, match="random_state must be an int from 0 to 2"):
                draw(seed)


@for_each("seed", [None, 0, 2**32 - 1, np.int64(7), np.random.RandomState(0)])
def test_seeds(seed):
    ButterflyFactorizer(supports="dense", random_state=seed).fit(X)


def test_seeds_stop_at_what_is_frozen():
    inner = PCA(2, svd_solver="randomized").fit(X)
    for operator in (FrozenEstimator(inner), make_pipeline(FrozenEstimator(inner), PCA(1))):
        duplicate = clone_with_seed(operator, 0)
        assert inner.random_state is None
        if operator is not duplicate:
            assert duplicate[-1].random_state is not None
    assert clone_with_seed(FrozenEstimator(inner), 0).estimator is inner


@on_any_matrix
@pytest.mark.parametrize("name", ESTIMATORS)
def test_columns_of_one_name_are_refused(name):
    """In `fit` and later, whatever the release of scikit-learn makes of them."""
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("abbcde"))
    message = r"X is a data frame with more than one column named 'b'.*X\.to_numpy\(\)"
    with pytest.raises(ValueError, match=message):
        clone(ESTIMATORS[name]).fit(frame, Y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = clone(ESTIMATORS[name]).fit(X, Y)
    with pytest.raises(ValueError, match=message):
        fitted.transform(frame)
