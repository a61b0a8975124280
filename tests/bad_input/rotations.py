"""Bad and unusual input of rotations and random projections."""

from functools import partial

import numpy as np
import scipy.sparse
from numpy.testing import assert_allclose
from sklearn.exceptions import NotFittedError

from skfact.transforms import FastRandomProjection, random_rotation
from tests.bad_input.cases import BAD_X, ODD_MATRICES, A, changed, refused, works

# ---- rotations -----------------------------------------------------------------------------

for n, error, message in (
    (0, ValueError, "n must be at least 1, got 0"),
    (-3, ValueError, "n must be at least 1"),
    (2.0, TypeError, "n must be an integer"),
    (True, TypeError, "n must be an integer"),
    ("8", TypeError, "n must be an integer"),
    (None, TypeError, "n must be an integer"),
    ((8, 8), TypeError, "n must be an integer"),
):
    refused(f"random_rotation: n={n!r}", random_rotation, n, error=error, message=message)
for seed in ("seed", -1, 0.5, np.random.default_rng(0)):
    refused(
        f"random_rotation: random_state={seed!r:.10}",
        lambda n, seed=seed: random_rotation(n, seed),
        8,
        error=ValueError,
        message="random_state must be an int from 0",
    )
for dtype in ("float16", "int64", "longdouble", "number", None, 3):
    refused(
        f"random_rotation: dtype={dtype!r}",
        partial(random_rotation, dtype=dtype),
        8,
        error=TypeError,
        message="dtype must be one of float32",
    )
for n in (1, 2, 3, np.int64(5), np.uint8(67)):
    works(
        f"random_rotation: n={n!r}",
        random_rotation,
        n,
        check=lambda result, n: assert_allclose(
            (result.T @ result).toarray(), np.eye(n), atol=1e-14
        ),
    )

# ---- projections ---------------------------------------------------------------------------


def fit(X, **parameters):
    return FastRandomProjection(**{"n_components": 4, **parameters}).fit(X)


for id, X, error, message in BAD_X:
    if id != "sparse":
        refused(f"FastRandomProjection: {id}", fit, X, error=error, message=message)
for name, value, error, message in (
    ("n_components", 0, ValueError, "n_components must be at least 1"),
    ("n_components", -2, ValueError, "n_components must be at least 1"),
    ("n_components", 2.0, TypeError, "n_components must be int or 'auto'"),
    ("n_components", True, TypeError, "n_components must be int or 'auto'"),
    ("n_components", "all", TypeError, "n_components must be int or 'auto'"),
    ("n_components", None, TypeError, "n_components must be int or 'auto'"),
    ("eps", 0, ValueError, "eps must be positive"),
    ("eps", np.nan, ValueError, "eps must be positive"),
    ("eps", "0.1", TypeError, "eps must be float"),
    ("backend", "gpu", ValueError, "backend must be one of"),
    ("random_state", "seed", ValueError, "random_state must be an int from 0"),
    ("random_state", np.random.default_rng(0), ValueError, "random_state must be an int from 0"),
):
    refused(
        f"FastRandomProjection: {name}={value!r:.20}",
        lambda X, name=name, value=value: fit(X, **{name: value}),
        A,
        error=error,
        message=message,
    )
for id, X, eps, message in (
    ("more dimensions than there are", A, 0.5, r"asks for \d+ dimensions.*X has 8.*larger eps"),
    ("one sample", A[:1], 0.5, "asks for 0 dimensions.*one sample"),
    ("all of a distance", A, 1.0, "eps must be less than 1"),
):
    refused(
        f"FastRandomProjection: auto, {id}",
        lambda X, eps=eps: fit(X, n_components="auto", eps=eps),
        X,
        error=ValueError,
        message=message,
    )

fitted = fit(A, random_state=0)
for id, call, X, error, message in (
    (
        "transform: too few features of a projection",
        fitted.transform,
        A[:, :5],
        ValueError,
        "X has 5",
    ),
    ("transform: NaN in a projection", fitted.transform, changed(A, np.nan), ValueError, "NaN"),
    (
        "transform: sparse inf in a projection",
        fitted.transform,
        scipy.sparse.csr_array(changed(A, np.inf)),
        ValueError,
        "infinity",
    ),
    ("inverse_transform: width of projections", fitted.inverse_transform, A, ValueError, "X has 8"),
    (
        "inverse_transform: inf in projections",
        fitted.inverse_transform,
        changed(A[:, :4], np.inf),
        ValueError,
        "X contains NaN or inf",
    ),
    (
        "inverse_transform: sparse projections",
        fitted.inverse_transform,
        scipy.sparse.csr_array(A[:, :4]),
        TypeError,
        "X is a sparse matrix.*toarray",
    ),
):
    refused(id, call, X, error=error, message=message)
for method in ("transform", "inverse_transform"):
    refused(
        f"{method}: no projection fitted",
        getattr(FastRandomProjection(), method),
        A,
        error=NotFittedError,
        message="not fitted",
    )


def projected(result, X):
    assert_allclose(result, np.asarray(X, dtype=float) @ fitted.components_.T, atol=1e-12)


for id, X in ODD_MATRICES:
    works(f"transform: projection of {id}", fitted.transform, X, check=projected)
for format in ("csr", "csc", "coo", "lil", "dok", "bsr"):
    works(
        f"transform: projection of sparse {format}",
        fitted.transform,
        scipy.sparse.coo_array(A * (A > 0)).asformat(format),
        check=lambda result, X: projected(result, X.toarray()),
    )
works(
    "FastRandomProjection: tiny and huge numbers",
    lambda X: fit(X, random_state=0).transform(X),
    np.diag([1e-300, 1e300, 1e-160, 1.0, 0.0, 1e160, 1e307, 5e-324]),
    check=lambda result, X: projected(result, X),
)
