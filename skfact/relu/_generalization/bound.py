"""A PAC-Bayes bound for networks that classify, after the rescaling that makes it least."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from sklearn.neural_network import MLPRegressor

from skfact._backend import NUMPY, device, to_numpy
from skfact._checks import (
    check_choice,
    check_number,
    check_positive,
    check_random_state,
    positive_int,
)
from skfact._stopping import Stopping
from skfact.relu._generalization.binary_kl import binary_kl_inverse, log_moment
from skfact.relu._generalization.divergence import (
    PRIOR_SCALES,
    Arrays,
    Divergence,
    least_divergence,
)
from skfact.relu._networks.balance import rescaled
from skfact.relu._networks.layered import LayeredNetwork
from skfact.relu._networks.readers import mlp_in, read_layers
from skfact.relu._networks.samples import inputs_of
from skfact.relu._rescaling.sweeps import log_factors_of_layers
from skfact.relu._training.objective import Objective
from skfact.relu._training.targets import Targets, targets_of

# Noise that is tried, relative to the weights, and the draws for each.
RELATIVE_NOISE = 2.0 ** (-np.arange(1, 17) / 2)
PILOT_DRAWS = 10

# Of the equalization before noise is put on: any scaling is allowed there.
MAX_SWEEPS, TOLERANCE = 1000, 1e-8


@dataclass(frozen=True, repr=False, eq=False)
class GeneralizationBound:
    """An upper bound of how often a randomized network errs; see :func:`generalization_bound`.

    Parameters
    ----------
    bound : float
        With probability 1 - `delta` the probability of an error on a new sample is at most this.
    kl : float
        Divergence of the posterior from the prior, in nats.
    empirical_risk : float
        Errors on the samples, on average over the draws.
    empirical_risk_bound : float
        Upper bound of their expectation over all draws.
    constant_risk : float
        Part of the samples that a constant guess, the largest class, errs on.
    sigma : float
        Standard deviation of the noise of the weights, scaled as `noise_on` says.
    prior_sigma : float
        Standard deviation of the prior.
    factors : list of ndarray of shape (n_l,)
        Factors of the hidden neurons, from `network` to the scaling that the prior sees.
    output_factor : float
        Factor of all outputs there.
    n_samples, n_draws, n_parameters, n_classes : int
        Numbers of samples, of draws of the weights, of weights and biases, and of classes; of
        several labels for a sample, of sets of labels.
    delta : float
        Probability that the bound fails.
    rescaling : str
        As it was asked for.
    noise_on : str
        Weights that the noise was put on: "none" is as they are, "equalize" equalized.

    See Also
    --------
    generalization_bound : Makes it.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.relu import generalization_bound
    >>> X = np.linspace(-1, 1, 2000)[:, None]
    >>> network = [np.array([[1.0, -1.0]]), np.array([[1.0], [-1.0]])], None
    >>> found = generalization_bound(network, X, X[:, 0] > 0, random_state=0)
    >>> found.is_vacuous, found.n_parameters
    (False, 7)
    >>> round(found.constant_risk, 6)
    0.5
    """

    bound: float
    kl: float
    empirical_risk: float
    empirical_risk_bound: float
    constant_risk: float
    sigma: float
    prior_sigma: float
    factors: list[np.ndarray]
    output_factor: float
    n_samples: int
    n_draws: int
    n_parameters: int
    n_classes: int
    delta: float
    rescaling: str
    noise_on: str

    @property
    def is_vacuous(self) -> bool:
        """Whether the bound is no less than `constant_risk`: a constant guess does as well."""
        return self.bound >= self.constant_risk

    def __repr__(self) -> str:
        verdict = f"at most {self.bound:.4g} with probability {1 - self.delta:.4g}"
        if self.is_vacuous:
            verdict += "; vacuous: a constant guess does as well"
        weights = "weights as they are" if self.noise_on == "none" else "equalized weights"
        return "\n".join(
            [
                f"GeneralizationBound: {self.n_parameters:,} weights and biases",
                f"  errors on new samples  {verdict}",
                f"  errors on X            {self.empirical_risk:.4g} of {self.n_samples:,} samples "
                f"({self.n_draws:,} draws; at most {self.empirical_risk_bound:.4g})",
                f"  of a constant guess    {self.constant_risk:.4g} of them, by the largest of "
                f"{self.n_classes:,} classes",
                f"  kl                     {self.kl:.4g} nats from N(0, {self.prior_sigma:.4g}^2)",
                f"  noise                  {self.sigma:.4g} on {weights} (rescaling="
                f"{self.rescaling!r})",
            ]
        )


def generalization_bound(
    network: Any,
    X: Any,
    y: Any,
    *,
    delta: float = 0.05,
    rescaling: str = "best",
    sigma: float | None = None,
    n_draws: int = 1000,
    random_state: Any = None,
) -> GeneralizationBound:
    """Bound how often a network with noise on its weights errs on new samples, from those it has.

    The bound is about the *randomized* network: all weights and biases plus independent normal
    noise, drawn anew for each sample. Rescaling the network with its noise changes no prediction,
    but how far the weights are from a prior. A bound holds for every rescaling, also for the one
    that makes it least, which is the solution of a convex problem.

    Parameters
    ----------
    network : network-like of layers
        A network that classifies. One that is no MLP has a score for each class, or one number
        that is positive for class 1.
    X : array-like of shape (n_samples, n_features)
        The training samples, independent draws of those to come; of a pipeline, as its `predict`
        takes them.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Their labels: 0, 1, ... if the network is no MLP.
    delta : float, default=0.05
        Probability with which the bound may fail.
    rescaling : {"best", "equalize", "none"}, default="best"
        "none" puts noise on the weights as they are, "equalize" on the weights after
        :func:`equalize` with biases included, which is the same at every scaling of the network,
        and alone often gains nothing. "best" tries both, takes the rescaling of least divergence
        for each, and the smaller of the two bounds. It costs no more than log(2) / `n_draws` in the
        inequality for the draws.
    sigma : float, default=None
        Standard deviation of the noise; None chooses it for each of the two by draws of its own.
    n_draws : int, default=1000
        Networks that are drawn to estimate the errors on X. More of them tighten the bound.
    random_state : int, RandomState instance or None, default=None
        Draws the noise.

    Returns
    -------
    bound : GeneralizationBound
        The ``bound`` and what it is made of. Printed, it says if it is vacuous: if it is no less
        than the errors of a constant guess, the largest class.

    Raises
    ------
    TypeError
        If the network is of an unsupported kind, or does not classify.
    ValueError
        If the network is not usable, X or y does not fit it, or a parameter has a wrong value.

    See Also
    --------
    skfact.relu.path_norm : Bounds the outputs, not the errors.

    Notes
    -----
    Let R(w) be the probability of an error with the weights w and r(w) the part of the n samples
    that it errs on; R(Q) and r(Q) are their means over w ~ Q. Priors P_j = N(0, s_j^2) are fixed:
    321 scales from 2^-20 to 2^20. For half of `delta`, and all posteriors Q at once,

        ``kl(r(Q) || R(Q)) <= (KL(Q || P_j) + log(xi(n)) + log(2 * 321 / delta)) / n``  for each j,

    where kl is the divergence of two coins and ``xi(n) = sum_k C(n, k) (k/n)^k (1 - k/n)^(n-k)``.

    Proof (Seeger, Langford, Maurer). For fixed w the number of errors is binomial, and the
    expectation of ``exp(n kl(r(w) || R(w)))`` is at most xi(n). So is its mean over ``w ~ P_j``,
    and by Markov's inequality that mean exceeds ``2 * 321 xi(n) / delta`` for some j with
    probability at most delta / 2. By the variational formula of Donsker and Varadhan ``E_Q f <=
    KL(Q || P_j) + log E_P exp(f)``, here for ``f = n kl(r(w) || R(w))``, and
    ``kl(r(Q) || R(Q)) <= E_Q kl(r(w) || R(w))`` as kl is convex.

    Q may depend on the samples. Take weights theta plus noise sigma, all multiplied by the factors
    of a rescaling: the functions, and with them r(Q) and R(Q), are those without the rescaling;
    only the divergence changes. It is convex in the logarithms of the factors, as each term is
    ``(theta^2 + sigma^2) d^2 / (2 s^2) - 1/2 - log(sigma d / s)`` with log d linear in them. One
    factor for all outputs changes no prediction either. The scale s is the best on the list; sigma
    is chosen on draws that are not used again.

    r(Q) is not known, but its estimate is, the mean m of `n_draws` independent numbers from 0 to 1.
    By Chernoff's inequality ``kl(m || r(Q)) <= log(2 c / delta) / n_draws`` where m < r(Q), for
    all of c posteriors but for probability delta / 2: c is 2 for "best", which takes the better of
    two on the same draws, and otherwise 1. What is reported inverts both inequalities upwards. With
    the `random_state` of "none", "best" meets its posterior again: the divergence is no larger, and
    the bound no worse but for c.

    The samples must be independent draws, and none of them may have changed how the network is fed:
    means and scales learned from X are not covered. The bound says nothing about the network
    without noise.

    References
    ----------
    .. [1] A. Maurer, "A note on the PAC Bayesian theorem", arXiv:cs/0411099.
    .. [2] J. Langford, R. Caruana, "(Not) bounding the true error", NIPS 2001.
    .. [3] G. K. Dziugaite, D. M. Roy, "Computing nonvacuous generalization bounds for deep
       (stochastic) neural networks with many more parameters than training data", UAI 2017.
    .. [4] D. Rouchouse, A. Gonon, R. Gribonval, B. Guedj, "Non-vacuous generalization bounds: can
       rescaling invariances help?", arXiv:2509.26149.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.neural_network import MLPClassifier
    >>> from skfact.relu import generalization_bound
    >>> X, y = load_digits(return_X_y=True)
    >>> mlp = MLPClassifier((10,), solver="lbfgs", alpha=20, max_iter=1000, random_state=0)
    >>> mlp = mlp.fit(X / 16, y)
    >>> found = generalization_bound(mlp, X / 16, y, n_draws=300, random_state=0)
    >>> found.bound < generalization_bound(
    ...     mlp, X / 16, y, n_draws=300, rescaling="none", random_state=0
    ... ).bound
    True
    """
    read = read_layers(network, "noise is put on layers")
    mlp = mlp_in(network)
    if isinstance(mlp, MLPRegressor):
        raise TypeError(
            "network is an MLPRegressor, whose errors have no bound: pass a classifier."
        )
    X = to_numpy(inputs_of(read, X)).astype(np.float64, copy=False)
    targets = targets_of(mlp, read, y, "log_loss" if mlp is None else None, len(X))
    check_choice(rescaling, "rescaling", ("best", "equalize", "none"))
    check_number(delta, "delta", float, 0)
    if not 0 < delta < 1:
        raise ValueError(f"delta must be between 0 and 1, got {delta!r}.")
    if sigma is not None:
        check_positive(sigma, "sigma")
    n_draws = positive_int(n_draws, "n_draws")
    random = check_random_state(random_state)

    host = read.cast("float64").moved(NUMPY, device(X))
    means = _means(host, rescaling)
    confidence = Confidence(len(X), n_draws, float(delta), len(means))
    gibbs = Gibbs(Objective(X, targets, 0.0, read.activation), random)
    posteriors = [_posterior(mean, sigma, gibbs, confidence, rescaling) for mean in means]
    risks = gibbs.risks([(p.mean.layers, p.sigma) for p in posteriors], n_draws)
    bounds = [confidence.bounds(r, p.divergence.value) for r, p in zip(risks, posteriors)]
    best = min(range(len(means)), key=lambda i: bounds[i][1])
    return GeneralizationBound(
        bound=bounds[best][1],
        empirical_risk=risks[best],
        empirical_risk_bound=bounds[best][0],
        constant_risk=_constant_risk(targets),
        n_samples=len(X),
        n_draws=n_draws,
        n_classes=_n_classes(targets),
        delta=float(delta),
        rescaling=rescaling,
        **posteriors[best].facts(),
    )


class Mean(NamedTuple):
    """Weights, with the bias as last row, that noise is put on, and how they are scaled."""

    noise_on: str
    logs: list[np.ndarray]  # of the factors of all nodes, from the network that was given
    layers: list[np.ndarray]


class Posterior(NamedTuple):
    """Weights with noise, and their divergence from a prior, to which they are rescaled."""

    mean: Mean
    sigma: float
    divergence: Divergence

    def facts(self) -> dict[str, Any]:
        """What is reported of it."""
        factors = [np.exp(one + two) for one, two in zip(self.mean.logs, self.divergence.logs)]
        return {
            "kl": self.divergence.value,
            "sigma": self.sigma,
            "prior_sigma": self.divergence.prior_scale,
            "factors": factors[1:-1],
            "output_factor": float(factors[-1][0]),
            "n_parameters": sum(layer.size for layer in self.mean.layers),
            "noise_on": self.mean.noise_on,
        }


def _means(network: LayeredNetwork, rescaling: str) -> list[Mean]:
    """Weights as they are, equalized weights, or both."""

    def mean(noise_on: str, logs: list[np.ndarray], scaled: LayeredNetwork) -> Mean:
        arrays = zip(scaled.weights, scaled.biases)
        return Mean(noise_on, logs, [np.vstack([w, b[None, :]]) for w, b in arrays])

    plain = mean("none", [np.zeros(n) for n in network.sizes], network)
    if rescaling == "none":
        return [plain]
    logs = log_factors_of_layers(network, 2.0, True, Stopping(MAX_SWEEPS, TOLERANCE))[0]
    equal = mean("equalize", logs, rescaled(network, [-log / math.log(2) for log in logs]))
    return [equal] if rescaling == "equalize" else [equal, plain]


def _posterior(
    mean: Mean, sigma: float | None, gibbs: Gibbs, confidence: Confidence, rescaling: str
) -> Posterior:
    """Noise and rescaling for a mean; weights as they are have the noise that "none" gives them."""
    rescale = rescaling == "best"
    if sigma is None:
        is_rescaled = rescale and mean.noise_on != "none"
        sigma = _best_noise(mean.layers, gibbs, confidence, rescale=is_rescaled)
    return Posterior(mean, float(sigma), least_divergence(mean.layers, sigma, rescale=rescale))


def _constant_risk(targets: Targets) -> float:
    """Part of the samples that are not of the largest class, or set of labels."""
    counts = np.unique(targets.values, axis=0, return_counts=True)[1]
    return float(1 - counts.max() / counts.sum())


def _n_classes(targets: Targets) -> int:
    n_columns = targets.values.shape[1]
    return n_columns if targets.link == "softmax" else 2**n_columns


class Confidence(NamedTuple):
    """What the two inequalities are inverted with, half of delta for each."""

    n_samples: int
    n_draws: int
    delta: float
    n_posteriors: int  # of which the best is taken

    def bounds(self, risk: float, divergence: float) -> tuple[float, float]:
        """Bounds of r(Q) and of R(Q), from the mean over the draws."""
        of_draws = math.log(2 * self.n_posteriors / self.delta) / self.n_draws
        empirical = binary_kl_inverse(risk, of_draws)
        of_samples = log_moment(self.n_samples) + math.log(2 * len(PRIOR_SCALES) / self.delta)
        return empirical, binary_kl_inverse(empirical, (divergence + of_samples) / self.n_samples)


class Gibbs:
    """Networks whose weights are drawn anew, with the same noise for all that are compared."""

    def __init__(self, objective: Objective, random: np.random.RandomState) -> None:
        self.objective = objective
        self.pilot, self.seed = random.randint(2**31 - 1, size=2)

    def risks(
        self, noisy: Sequence[tuple[Arrays, float]], n_draws: int, *, pilot: bool = False
    ) -> list[float]:
        """Part of the samples that layers with noise err on, on average over the draws, of each."""
        random = np.random.RandomState(self.pilot if pilot else self.seed)
        totals = np.zeros(len(noisy))
        with np.errstate(over="ignore", invalid="ignore"):  # no number is an error
            for _ in range(n_draws):
                noise = [random.standard_normal(w.shape) for w in noisy[0][0]]
                for i, (layers, sigma) in enumerate(noisy):
                    totals[i] += self._errors([w + sigma * z for w, z in zip(layers, noise)])
        return [float(total) / n_draws for total in totals]

    def _errors(self, drawn: Arrays) -> float:
        weights, biases = [w[:-1] for w in drawn], [w[-1] for w in drawn]
        outputs, targets = self.objective.layers(weights, biases)[-1], self.objective.targets
        if targets.link == "softmax":
            wrong = outputs.argmax(axis=1) != targets.values.argmax(axis=1)
        else:
            wrong = ((outputs > 0) != (targets.values > 0)).any(axis=1)
        return float(np.mean(wrong | ~np.isfinite(outputs).all(axis=1)))


def _best_noise(layers: Arrays, gibbs: Gibbs, confidence: Confidence, *, rescale: bool) -> float:
    """The sigma of the least bound, as far as a few draws tell."""
    largest = max(float(np.abs(layer).max()) for layer in layers) or 1.0
    n = sum(layer.size for layer in layers)
    squares = sum(float(np.sum((layer / largest) ** 2)) for layer in layers) or 1.0
    size = largest * math.sqrt(squares / n)
    candidates = [float(size * noise) for noise in RELATIVE_NOISE]
    risks = gibbs.risks([(layers, sigma) for sigma in candidates], PILOT_DRAWS, pilot=True)
    divergences = [least_divergence(layers, s, rescale=rescale).value for s in candidates]
    alone = confidence._replace(n_posteriors=1)
    bounds = [alone.bounds(r, d)[1] for r, d in zip(risks, divergences)]
    return candidates[int(np.argmin(bounds))]
