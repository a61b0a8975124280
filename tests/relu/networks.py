"""Networks for tests, and path quantities by listing every path."""

from itertools import pairwise, product

import numpy as np
from hypothesis import strategies as st

# the oracle of the theory notes: Phi = [2, 2, 6, -.5 | 1, 1 | .25]
COEFS = [np.array([[1.0, -2.0], [3.0, 0.5]]), np.array([[2.0], [-1.0]])]
INTERCEPTS = [np.array([0.5, -1.0]), np.array([0.25])]
ORACLE = COEFS, INTERCEPTS

sizes = st.lists(st.integers(1, 5), min_size=2, max_size=5)
seeds = st.integers(0, 2**32 - 1)


def random_network(sizes, seed=0, dtype=np.float64):
    """Normal weights and biases; (coefs, intercepts)."""
    rng = np.random.default_rng(seed)
    coefs = [rng.standard_normal((n, m)).astype(dtype) for n, m in pairwise(sizes)]
    return coefs, [rng.standard_normal(m).astype(dtype) for m in sizes[1:]]


def random_factors(sizes, seed=0, spread=1.0):
    """Log-normal rescaling factors of the hidden layers."""
    rng = np.random.default_rng(seed)
    return [np.exp(spread * rng.standard_normal(n)) for n in sizes[1:-1]]


def wild_factors(widths, seed):
    """Rescaling factors of many orders of magnitude: exact powers of two."""
    rng = np.random.default_rng(seed)
    return [2.0 ** rng.integers(-450, 450, n) for n in widths[1:-1]]


def scaled(network, factors):
    """Rescaled by the definition, neuron by neuron."""
    coefs, intercepts = [w.copy() for w in network[0]], [b.copy() for b in network[1]]
    for l, layer in enumerate(factors):
        for v, c in enumerate(layer):
            coefs[l][:, v] *= c
            intercepts[l][v] *= c
            coefs[l + 1][v, :] /= c
    return coefs, intercepts


def shuffled(network, seed=0):
    """The hidden neurons of each layer in another order."""
    rng = np.random.default_rng(seed)
    coefs, intercepts = list(network[0]), list(network[1])
    for l in range(len(coefs) - 1):
        order = rng.permutation(coefs[l].shape[1])
        coefs[l], intercepts[l] = coefs[l][:, order], intercepts[l][order]
        coefs[l + 1] = coefs[l + 1][order]
    return coefs, intercepts


def output(network, X):
    """The function of the network, in double precision."""
    h = np.asarray(X, dtype=np.float64)
    *hidden, (w, b) = zip(*network)
    for v, c in hidden:
        h = np.maximum(h @ v.astype(float) + c, 0)
    return h @ w.astype(float) + b


def all_paths(network, include_bias=True):
    """{(v_0, ..., v_L): weight}, -1 in the layers before the bias that a path starts at."""
    coefs, intercepts = network
    widths = [coefs[0].shape[0], *(w.shape[1] for w in coefs)]
    found = {}
    for start in range(len(widths) if include_bias else 1):
        for tail in product(*(range(n) for n in widths[start:])):
            weight = 1.0 if start == 0 else float(intercepts[start - 1][tail[0]])
            for l, (i, j) in enumerate(pairwise(tail), start=start):
                weight *= float(coefs[l][i, j])
            found[(-1,) * start + tail] = weight
    return found


def path_vector(network, include_bias=True):
    """Weights of all paths, in a fixed order."""
    return np.array(list(all_paths(network, include_bias).values()))


def total_magnitude(network, X):
    """The output of absolute weights on absolute samples: what rounding errors are relative to."""
    coefs, intercepts = network
    return output(([abs(w) for w in coefs], [abs(b) for b in intercepts]), abs(np.asarray(X)))
