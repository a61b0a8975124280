"""The bound holds, gains from the rescaling, and does not depend on how networks are scaled."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import norm
from sklearn.datasets import load_digits, load_wine
from sklearn.frozen import FrozenEstimator
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, scale

from skfact.relu import equalize, generalization_bound, rescale
from skfact.relu._generalization.bound import Confidence
from tests.asserts import for_each
from tests.relu.networks import random_network


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
    confidence = Confidence(100, n, 0.4, 1)
    means = rng.binomial(n, p, 4000) / n
    bounds = {mean: confidence.bounds(mean, 1.0)[0] for mean in np.unique(means)}
    failed = np.mean([bounds[mean] < p for mean in means])
    assert 0.02 < failed <= 0.2
    # of two on draws of their own, the better one
    both = Confidence(100, n, 0.4, 2)
    bounds = {mean: both.bounds(mean, 1.0)[0] for mean in np.unique(means)}
    pairs = zip(means[::2], means[1::2])
    failed = np.mean([min(bounds[one], bounds[two]) < p for one, two in pairs])
    assert 0.01 < failed <= 0.2


def test_the_parts_make_the_bound():
    X, y = sampled(200, np.random.default_rng(1))
    coefs, intercepts = random_network([1, 4, 3, 2], 3)
    network = coefs, intercepts
    found = generalization_bound(network, X, y, sigma=0.2, n_draws=50, random_state=0)
    assert found.noise_on == "equalize" and "on equalized weights" in repr(found)
    assert found.n_parameters == sum(a.size for a in (*coefs, *intercepts))
    assert_allclose(
        (found.empirical_risk_bound, found.bound),
        Confidence(200, 50, 0.05, 2).bounds(found.empirical_risk, found.kl),
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
    """Of a network that comes badly scaled: noise on its own weights would be the worse choice."""
    X, y = sampled(400, np.random.default_rng(1))
    network = [np.array([[1.0, -1.0]]), np.array([[1.0], [-1.0]])], None
    twins = [rescale(network, [factors]) for factors in ([1e3, 1e-2], [1e-3, 1e4])]
    for rescaling in ("best", "equalize"):
        one, two = (
            generalization_bound(n, X, y, rescaling=rescaling, n_draws=30, random_state=0)
            for n in twins
        )
        assert one.noise_on == two.noise_on == "equalize"
        assert_allclose(two.bound, one.bound, rtol=1e-4)
        assert_allclose(two.kl, one.kl, rtol=1e-4)
    kl, of_twin = (
        generalization_bound(n, X, y, rescaling="none", sigma=0.1, n_draws=30, random_state=0).kl
        for n in (network, twins[0])
    )
    assert of_twin > 1.5 * kl


@for_each("seed", range(8))
def test_best_is_no_worse_than_the_others_but_for_the_price_of_a_choice(seed):
    """Of the noise that "none" and "equalize" take, each with a divergence that is no larger."""
    rng = np.random.default_rng(seed)
    X, y = sampled(150, rng)
    coefs, intercepts = random_network([1, *rng.integers(1, 6, rng.integers(0, 3)), 2], seed)
    shared = {"n_draws": 40, "random_state": seed, "sigma": [None, 0.1][seed % 2]}
    none, equal, best = (
        generalization_bound((coefs, intercepts), X, y, rescaling=rescaling, **shared)
        for rescaling in ("none", "equalize", "best")
    )
    price = Confidence(150, 40, 0.05, 2)
    of_none = price.bounds(none.empirical_risk, none.kl)
    assert best.bound <= of_none[1] * (1 + 1e-9)
    assert of_none[0] < none.empirical_risk_bound + np.sqrt(np.log(2) / 40)
    if seed % 2:  # with the same noise; each chooses its own otherwise
        assert best.bound <= price.bounds(equal.empirical_risk, equal.kl)[1] * (1 + 1e-9)
    if best.noise_on == "none":
        assert best.sigma == none.sigma and best.empirical_risk == none.empirical_risk


def test_noise_is_chosen_on_the_same_draws():
    """With noise of their own for each sigma they were chosen by chance, as seeds showed."""
    X, y = load_wine(return_X_y=True)
    X = scale(X)
    mlp = MLPClassifier((10,), solver="lbfgs", alpha=0.1, max_iter=2000, random_state=0).fit(X, y)
    for rescaling in ("none", "equalize"):
        found = {
            generalization_bound(mlp, X, y, rescaling=rescaling, n_draws=1, random_state=seed).sigma
            for seed in range(5)
        }
        assert len(found) == 1


def test_a_bound_that_a_constant_guess_beats_is_vacuous():
    """One in twenty is of class 1, and the network never says so."""
    X = np.random.default_rng(0).standard_normal((1000, 1))
    y = np.arange(1000) % 20 == 0
    never = [np.zeros((1, 1))], [np.array([-5.0])]
    found = generalization_bound(never, X, y, n_draws=100, random_state=0)
    assert 0.05 < found.bound < 0.5 and found.empirical_risk < 0.06
    assert_allclose(found.constant_risk, 0.05)
    assert found.is_vacuous and "vacuous: a constant guess does as well" in repr(found)
    assert "0.05 of them, by the largest of 2 classes" in repr(found)
    half = generalization_bound(stump(0.0), X, X[:, 0] > 0, n_draws=100, random_state=0)
    assert not half.is_vacuous and 0.4 < half.constant_risk <= 0.5


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
    assert few.is_vacuous and "vacuous" in repr(few)
    assert few.constant_risk == 1 - np.bincount(y[:50]).max() / 50


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
    of_sets = generalization_bound(several, X, both, n_draws=20, random_state=0)
    assert of_sets.n_classes == 4 and of_sets.constant_risk == found.constant_risk  # two sets occur


def test_a_pipeline_brings_its_classes_and_takes_its_own_samples():
    X, y = sampled(60, np.random.default_rng(1))
    mlp = MLPClassifier((3,), solver="lbfgs", max_iter=2000, random_state=0)
    model = make_pipeline(MinMaxScaler(), mlp).fit(X, np.where(y, "b", "a"))
    Z, labels = model[:-1].transform(X), np.where(y, "b", "a")
    of_pipeline, of_frozen, of_mlp = (
        generalization_bound(network, given, labels, n_draws=20, random_state=0)
        for network, given in ((model, X), (FrozenEstimator(model[-1]), Z), (model[-1], Z))
    )
    assert repr(of_pipeline) == repr(of_frozen) == repr(of_mlp)


def test_every_array_library(asarray):
    X, y = sampled(50, np.random.default_rng(1))
    coefs, intercepts = random_network([1, 3, 2], 3)
    given = [asarray(w) for w in coefs], [asarray(b) for b in intercepts]
    found = generalization_bound(given, asarray(X), asarray(y), n_draws=10, random_state=0)
    expected = generalization_bound((coefs, intercepts), X, y, n_draws=10, random_state=0)
    assert_allclose(found.bound, expected.bound, rtol=1e-6)
