"""What the estimators share: a fit that fails leaves nothing behind."""

from unittest.mock import Mock

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from skfact import ButterflyFactorizer, FixedSupportMF, ReLUPathEmbedding, SparseDeepLinearNet
from skfact.transforms import FastRandomProjection
from tests.asserts import on_any_matrix

pytestmark = [
    on_any_matrix,
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]
X = np.random.default_rng(0).standard_normal((32, 16))
Y = X[:, :3]
# an estimator, and parameters that are found wrong once X has been read
CASES = {
    "butterfly": (ButterflyFactorizer(), {"supports": "nonsense"}),
    "components": (ButterflyFactorizer(4, max_iter=2), {"n_components": 1000}),
    "fixed supports": (FixedSupportMF(4), {"supports": (np.ones((3, 4)), np.ones((4, 9)))}),
    "network": (SparseDeepLinearNet(max_iter=3), {"supports": [np.ones((3, 7))]}),
    "warm network": (
        SparseDeepLinearNet(max_iter=3, warm_start=True),
        {"supports": [np.ones((3, 7))]},
    ),
    "paths": (ReLUPathEmbedding(random_state=0), {"max_paths": 1}),
    "projection": (FastRandomProjection(4, random_state=0), {"n_components": "auto"}),
}


def codes(estimator, samples):
    return getattr(estimator, "predict", estimator.transform)(samples)


@pytest.mark.parametrize("name", CASES)
def test_a_fit_that_fails_leaves_an_estimator_unfitted(name):
    estimator, wrong = CASES[name]
    estimator = clone(estimator).set_params(**wrong)
    before = set(vars(estimator))
    with pytest.raises(ValueError, match=next(iter(wrong))):
        estimator.fit(X, Y)
    assert set(vars(estimator)) == before
    for method in ("transform", "predict", "inverse_transform"):
        if hasattr(estimator, method):
            with pytest.raises(NotFittedError):
                getattr(estimator, method)(X)


@pytest.mark.parametrize("name", CASES)
def test_a_fit_that_fails_leaves_the_fit_before_it(name):
    estimator, wrong = CASES[name]
    estimator = clone(estimator).fit(X, Y)
    expected, fitted = (
        codes(estimator, X),
        {k: v for k, v in vars(estimator).items() if k[-1] == "_"},
    )
    right = {key: estimator.get_params(deep=False)[key] for key in wrong}
    with pytest.raises(ValueError, match=next(iter(wrong))):
        estimator.set_params(**wrong).fit(X[:, :8], Y)
    estimator.set_params(**right)
    check_is_fitted(estimator)
    assert all(vars(estimator)[key] is value for key, value in fitted.items())
    assert estimator.n_features_in_ == 16
    assert_array_equal(codes(estimator, X), expected)
    assert estimator.fit(X[:, :8], Y).n_features_in_ == 8  # and it can be fitted again


def test_a_batch_that_fails_leaves_the_batches_before_it():
    estimator = SparseDeepLinearNet(random_state=0).partial_fit(X, Y)
    expected, curve = estimator.predict(X), estimator.loss_curve_
    with pytest.raises(ValueError, match="2 outputs"):
        estimator.partial_fit(X, Y[:, :2])
    assert_array_equal(estimator.predict(X), expected)
    assert estimator.loss_curve_ is curve


def test_a_batch_that_fails_late_is_as_if_it_had_not_been(monkeypatch):
    one, other = (SparseDeepLinearNet(random_state=0).partial_fit(X, Y) for _ in range(2))
    with monkeypatch.context() as context:
        context.setattr(SparseDeepLinearNet, "_record", Mock(side_effect=MemoryError))
        with pytest.raises(MemoryError):
            one.partial_fit(X[:5], Y[:5])
    assert_array_equal(one.partial_fit(X, Y).predict(X), other.partial_fit(X, Y).predict(X))


def test_an_interrupted_fit_leaves_nothing(monkeypatch):
    estimator = FixedSupportMF(4)
    monkeypatch.setattr(FixedSupportMF, "_record", Mock(side_effect=KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(X)
    with pytest.raises(NotFittedError):
        estimator.transform(X)


class Listener:
    """A callback of scikit-learn that tells when it begins and ends."""

    def __init__(self):
        self.heard = []

    def setup(self, *_args, **_options):
        self.heard.append("setup")

    def teardown(self, *_args, **_options):
        self.heard.append("teardown")

    def on_fit_task_begin(self, *_args, **_options):
        pass

    def on_fit_task_end(self, *_args, **_options):
        return False


def test_callbacks_are_ended_when_a_fit_fails(monkeypatch):
    pytest.importorskip("sklearn.callback", reason="scikit-learn has no callbacks yet")
    listener = Listener()
    monkeypatch.setattr(FixedSupportMF, "_record", Mock(side_effect=ValueError("late")))
    with pytest.raises(ValueError, match="late"):
        FixedSupportMF(4).set_callbacks(listener).fit(X)
    assert listener.heard == ["setup", "teardown"]
