"""Compressed perceptrons of scikit-learn: whatever they do, but training."""

import pickle
import warnings
from functools import partial

import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import cross_val_score
from sklearn.neural_network import MLPClassifier, MLPRegressor

from skfact.compression import compress

DIGITS, LABELS = load_digits(return_X_y=True)
DIGITS = DIGITS / 16
ACTIVATIONS = {
    "relu": lambda z: np.maximum(z, 0),
    "tanh": np.tanh,
    "logistic": lambda z: 1 / (1 + np.exp(-z)),
    "identity": lambda z: z,
}


def fitted(kind=MLPClassifier, y=LABELS, X=DIGITS, **options):
    options = {"hidden_layer_sizes": (200, 100), "max_iter": 20, "random_state": 0, **options}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return kind(**options).fit(X, y)


@pytest.fixture(scope="module")
def digits():
    mlp = fitted()
    return mlp, compress(mlp, DIGITS, max_density=0.25)


def test_it_predicts_as_before_with_a_quarter_of_the_numbers(digits):
    mlp, found = digits
    small = found.network
    assert isinstance(small, MLPClassifier)
    assert found.n_parameters_after <= sum(w.size for w in mlp.coefs_) / 4
    assert found.n_parameters_elsewhere == sum(b.size for b in mlp.intercepts_)
    assert small.score(DIGITS, LABELS) > mlp.score(DIGITS, LABELS) - 0.01
    assert_allclose(small.predict_proba(DIGITS).sum(axis=1), 1)
    assert_allclose(np.exp(small.predict_log_proba(DIGITS)), small.predict_proba(DIGITS))
    assert_array_equal(small.classes_, mlp.classes_)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_it_computes_what_its_factors_say(activation):
    mlp = fitted(MLPRegressor, np.c_[LABELS, -LABELS], activation=activation, max_iter=5)
    small = compress(mlp, DIGITS, max_density=0.3).network
    h = DIGITS
    for l, (coef, intercept) in enumerate(zip(small.coefs_, small.intercepts_)):
        dense = coef if isinstance(coef, np.ndarray) else coef.toarray()
        h = h @ dense + intercept
        h = ACTIVATIONS[activation](h) if l < 2 else h
    assert_allclose(small.predict(DIGITS), h)


def test_one_output_and_two_classes():
    mlp = fitted(y=LABELS > 4, hidden_layer_sizes=(80,))
    small = compress(mlp, DIGITS, max_density=0.3).network
    assert np.mean(small.predict(DIGITS) == mlp.predict(DIGITS)) > 0.97
    one = fitted(MLPRegressor, LABELS, hidden_layer_sizes=(80,))
    assert compress(one, DIGITS, max_density=0.4).network.predict(DIGITS[:5]).shape == (5,)


def test_float32_stays():
    mlp = fitted(X=DIGITS.astype("f4"), max_iter=5)
    small = compress(mlp, DIGITS.astype("f4"), max_density=0.25).network
    assert {w.dtype for w in (*small.coefs_, *small.intercepts_)} == {np.dtype("f4")}
    assert small.predict_proba(DIGITS.astype("f4")).dtype == np.float32


def test_sparse_rows(digits):
    small = digits[1].network
    rows = scipy.sparse.csr_array(DIGITS[:50])
    assert_allclose(small.predict_proba(rows), small.predict_proba(DIGITS[:50]))


def test_names_of_features_are_checked():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(DIGITS, columns=[f"p{i}" for i in range(64)])
    small = compress(fitted(X=frame, max_iter=3), frame, max_density=0.3).network
    assert len(small.predict(frame)) == len(frame)
    with pytest.raises(ValueError, match="feature names"):
        small.predict(frame[frame.columns[::-1]])
    with pytest.raises(ValueError, match="missing"):
        small.predict(frame.iloc[:, :5])


def test_pickle_is_small_and_the_same(digits):
    mlp, found = digits
    data = pickle.dumps(found.network)
    bare = pickle.dumps((mlp.coefs_, mlp.intercepts_))
    assert len(data) < 0.4 * len(bare)
    assert_array_equal(pickle.loads(data).predict(DIGITS), found.network.predict(DIGITS))


def test_clone_is_the_estimator_before(digits):
    small = digits[1].network
    again = clone(small)
    assert type(again) is MLPClassifier and not hasattr(again, "coefs_")
    assert again.get_params() == small.get_params()
    quick = small.set_params(max_iter=30)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        scores = cross_val_score(quick, DIGITS[:300], LABELS[:300], cv=2)
    assert np.isfinite(scores).all()


def test_a_clone_is_dense_and_it_says_so(digits):
    mlp, found = digits
    words = repr(found.network)
    before = sum(coef.size for coef in mlp.coefs_)
    assert words.startswith("CompressedMLPClassifier(hidden_layer_sizes=(200, 100)")
    numbers = f"of {found.n_parameters_after} weights in the place of {before}"
    assert words.endswith(f"{numbers}; a clone is a plain MLPClassifier")
    scores = cross_val_score(FrozenEstimator(found.network), DIGITS, LABELS, cv=2)
    assert_allclose(scores.mean(), found.network.score(DIGITS, LABELS), atol=1e-3)


def test_it_is_not_trained(digits):
    small = digits[1].network
    for train in (small.fit, small.partial_fit, partial(small.partial_fit, classes=small.classes_)):
        with pytest.raises(TypeError, match="fit a clone of it"):
            train(DIGITS, LABELS)


def test_the_original_stays(digits):
    mlp, found = digits
    assert type(mlp) is MLPClassifier and all(isinstance(w, np.ndarray) for w in mlp.coefs_)
    assert not any(
        np.shares_memory(b, c) for b in mlp.intercepts_ for c in found.network.intercepts_
    )
    same = compress(mlp, DIGITS, max_density=1.0).network
    assert type(same) is MLPClassifier and not np.shares_memory(same.coefs_[0], mlp.coefs_[0])
    assert_array_equal(same.predict(DIGITS), mlp.predict(DIGITS))


def test_as_onnx(digits):
    pytest.importorskip("onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    from skfact.export import to_onnx

    mlp, found = digits
    model = to_onnx(found.network, dtype="float32").SerializeToString()
    assert len(model) < 0.5 * len(to_onnx(mlp, dtype="float32").SerializeToString())
    session = onnxruntime.InferenceSession(model)
    (probabilities, *_) = session.run(None, {"X": DIGITS.astype("f4")})
    assert_allclose(probabilities, found.network.predict_proba(DIGITS), atol=1e-4)
