"""The bound holds, gains from the rescaling, and does not depend on how networks are scaled."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import norm
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

from skfact.relu import equalize, generalization_bound, rescale
from skfact.relu._generalization.bound import Confidence
from tests.relu.networks import random_factors, random_network


def stump(threshold):
    """Class 1 right of a threshold."""
    return [np.array([[1.0]])], [np.array([-threshold])]


def sampled(n, rng):
    """Points whose label is their sign, but for one in ten."""
    x = rng.uniform(-1, 1, n)
    return x[:, None], np.where(rng.random(n) < 0.1, x < 0, x > 0).astype(int)


def true_risk(threshold, sigma):
    """Of (1 + sigma z) x + sigma z' > threshold, by quadrature."""
    x = np.linspace(-1, 1, 4001)
    positive = norm.cdf((x - threshold) / (sigma * np.sqrt(x**2 + 1)))
    wrong = np.where(x > 0, 1 - positive, positive)
    return float(np.mean(0.1 + 0.8 * wrong))


def test_coverage():
    """Thresholds that are fitted to the samples: no more than a part delta of the bounds fail."""
    rng, excess = np.random.default_rng(0), []
    for trial in range(60):
        X, y = sampled(40, rng)
        candidates = np.linspace(-0.9, 0.9, 19)
        threshold = min(candidates, key=lambda t: np.mean((X[:, 0] > t) != y))
        found = generalization_bound(
            stump(threshold), X, y, delta=0.5, sigma=0.3, n_draws=20, random_state=trial
        )
        assert found.factors == []  # without hidden layers the noise is on the weights as they are
        excess.append(found.bound - true_risk(threshold, 0.3))
    assert sum(np.array(excess) < 0) <= 30
    assert min(excess) < 0.6  # it says something


def test_coverage_of_the_draws():
    """The mean over few draws of a known risk: its bound fails at most with half of delta."""
    rng, p, n = np.random.default_rng(0), 0.3, 25
    confidence = Confidence(100, n, 0.4)
    means = rng.binomial(n, p, 4000) / n
    bounds = {mean: confidence.bounds(mean, 1.0)[0] for mean in np.unique(means)}
    failed = np.mean([bounds[mean] < p for mean in means])
    assert 0.02 < failed <= 0.2


def test_the_parts_make_the_bound():
    X, y = sampled(200, np.random.default_rng(1))
    coefs, intercepts = random_network([1, 4, 3, 2], 3)
    network = coefs, intercepts
    found = generalization_bound(network, X, y, sigma=0.2, n_draws=50, random_state=0)
    assert found.n_parameters == sum(a.size for a in (*coefs, *intercepts))
    assert_allclose(
        (found.empirical_risk_bound, found.bound),
        Confidence(200, 50, 0.05).bounds(found.empirical_risk, found.kl),
    )
    assert found.empirical_risk <= found.empirical_risk_bound <= found.bound < 1
    # the divergence, from the factors that are reported: noise is on the equalized weights
    equal = equalize(network, include_bias=True, tol=1e-8)
    mine = rescale(network, found.factors)
    kl, s, c = 0.0, found.prior_sigma, found.output_factor
    for l, arrays in enumerate(zip(*mine)):
        for to_prior, noisy in zip(arrays, (equal[0][l], equal[1][l])):
            to_prior = to_prior * (c if l == 2 else 1.0)
            d = to_prior / noisy
            kl += ((d**2 * (noisy**2 + 0.04)) / (2 * s**2) - 0.5 - np.log(0.2 * d / s)).sum()
    assert_allclose(found.kl, kl, rtol=1e-6)


def test_scaling_does_not_matter():
    X, y = sampled(100, np.random.default_rng(1))
    network = random_network([1, 5, 4, 2], 3)
    twin = rescale(network, random_factors([1, 5, 4, 2], 0, 3.0))
    for rescaling in ("best", "equalize"):
        one, two = (
            generalization_bound(n, X, y, rescaling=rescaling, n_draws=30, random_state=0)
            for n in (network, twin)
        )
        assert_allclose(two.bound, one.bound, rtol=1e-4)
        assert_allclose(two.kl, one.kl, rtol=1e-4)
    plain = [
        generalization_bound(n, X, y, rescaling="none", sigma=0.1, n_draws=30, random_state=0).kl
        for n in (network, twin)
    ]
    assert plain[1] > 1.5 * plain[0]


def test_on_digits():
    """What rescaling gains, with the same noise: the bound of a small network says something."""
    X, y = load_digits(return_X_y=True)
    X = X / 16
    mlp = MLPClassifier((10,), solver="lbfgs", max_iter=3000, alpha=0.3, random_state=0).fit(X, y)
    options = {"n_draws": 200, "random_state": 0}
    best = generalization_bound(mlp, X, y, **options)
    equal = generalization_bound(mlp, X, y, rescaling="equalize", sigma=best.sigma, **options)
    assert best.bound < 0.7 and not best.is_vacuous and best.n_classes == 10
    assert best.kl < 0.9 * equal.kl and best.bound < equal.bound
    assert "vacuous" not in repr(best) and f"{best.bound:.4g}" in repr(best)
    few = generalization_bound(mlp, X[:50], y[:50], **options)
    assert few.is_vacuous and "vacuous: guessing errs with 0.9" in repr(few)


def test_same_seed_same_numbers():
    X, y = sampled(50, np.random.default_rng(1))
    one, two = (generalization_bound(stump(0.1), X, y, n_draws=20, random_state=3) for _ in "ab")
    assert repr(one) == repr(two)


@pytest.mark.parametrize("labels", [np.array(["a", "b"]), np.array([3, 9])])
def test_classes_of_an_mlp(labels):
    X, y = sampled(60, np.random.default_rng(1))
    mlp = MLPClassifier((3,), solver="lbfgs", max_iter=2000, random_state=0).fit(X, labels[y])
    found = generalization_bound(mlp, X, labels[y], n_draws=20, random_state=0)
    assert found.n_classes == 2 and found.empirical_risk < 0.5
    several = MLPClassifier((3,), solver="lbfgs", max_iter=2000, random_state=0)
    both = np.stack([y, 1 - y], axis=1)
    several.fit(X, both)
    assert generalization_bound(several, X, both, n_draws=20, random_state=0).n_classes == 4


def test_every_array_library(asarray):
    X, y = sampled(50, np.random.default_rng(1))
    coefs, intercepts = random_network([1, 3, 2], 3)
    given = [asarray(w) for w in coefs], [asarray(b) for b in intercepts]
    found = generalization_bound(given, asarray(X), asarray(y), n_draws=10, random_state=0)
    expected = generalization_bound((coefs, intercepts), X, y, n_draws=10, random_state=0)
    assert_allclose(found.bound, expected.bound, rtol=1e-6)
