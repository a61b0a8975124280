"""Bad and unusual input of ReLU networks."""

import inspect
import re
from functools import partial

import numpy as np
import scipy.sparse
from numpy.testing import assert_array_equal
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skfact import ReLUPathEmbedding, relu
from skfact.inspection import ActivationRegionsDisplay
from tests.bad_input.cases import BAD_X, RANDOM, A, changed, refused, works

COEFS = [RANDOM.standard_normal((8, 4)), RANDOM.standard_normal((4, 2))]
INTERCEPTS = [RANDOM.standard_normal(4), RANDOM.standard_normal(2)]
NETWORK = COEFS, INTERCEPTS
easily = {"solver": "lbfgs", "alpha": 1.0, "max_iter": 10_000, "random_state": 0}  # fitted
tanh = MLPRegressor(hidden_layer_sizes=(3,), activation="tanh", **easily)
tanh.fit(A[:, :2], A[:, 0])
BAD_NETWORKS = [
    ("tanh", tanh, ValueError, "layer 0.*activation='tanh'"),
    ("unfitted", MLPClassifier(), NotFittedError, "not fitted"),
    ("class", MLPClassifier, TypeError, "class MLPClassifier"),
    ("another estimator", LogisticRegression(), TypeError, "network must be.*LogisticRegression"),
    ("pipeline", make_pipeline(LogisticRegression()), TypeError, "network is a Pipeline"),
    ("None", None, TypeError, "network must be"),
    ("text", "mlp", TypeError, "network must be"),
    ("matrix", A, TypeError, "network must be.*ndarray"),
    ("one list", [COEFS], ValueError, "pair.*got 1 elements"),
    ("three lists", (*NETWORK, COEFS), ValueError, "pair.*got 3 elements"),
    ("a layer as pair", (COEFS[0], INTERCEPTS[0]), TypeError, "coefs must be a list.*ndarray"),
    ("zero layers", ([], []), ValueError, "zero layers"),
    ("missing bias", (COEFS, INTERCEPTS[:1]), ValueError, "got 2 and 1 arrays"),
    ("do not chain", ([COEFS[0], COEFS[0]], None), ValueError, r"layer 1: coefs\[1\].*chain"),
    ("transposed", ([w.T for w in COEFS], None), ValueError, r"layer 1: coefs\[1\].*chain"),
    ("no neurons", ([COEFS[0][:, :0]], None), ValueError, r"coefs\[0\].*one neuron"),
    ("long bias", (COEFS, INTERCEPTS[::-1]), ValueError, r"layer 0: intercepts\[0\].*4 outputs"),
    ("2-D bias", (COEFS[:1], [np.ones((1, 4))]), ValueError, r"intercepts\[0\] must be 1-D"),
    ("1-D weights", ([np.ones(3)], None), ValueError, r"coefs\[0\] must be 2-D"),
    ("ragged", ([[[1.0, 2.0], [3.0]]], None), ValueError, r"layer 0: coefs\[0\] is no rect"),
    (
        "NaN",
        ([COEFS[0], changed(np.ones((4, 3)), np.nan)], None),
        ValueError,
        r"layer 1: coefs\[1\] contains NaN",
    ),
    ("inf", ([changed(A, -np.inf)], None), ValueError, r"layer 0: coefs\[0\] contains infinity"),
    (
        "inf bias",
        (COEFS, [INTERCEPTS[0], np.array([0, np.inf])]),
        ValueError,
        r"layer 1: intercepts\[1\] contains infinity",
    ),
    ("float16", ([COEFS[0].astype("f2")], None), TypeError, r"layer 0: coefs\[0\].*float16"),
    (
        "complex bias",
        (COEFS[:1], [INTERCEPTS[0] + 0j]),
        TypeError,
        r"layer 0: intercepts\[0\] has dtype complex128",
    ),
    ("complex", ([COEFS[0] + 0j], None), TypeError, r"layer 0: coefs\[0\].*complex128"),
    ("objects", ([COEFS[0].astype(object)], None), TypeError, r"coefs\[0\] has dtype object"),
    ("sparse", ([scipy.sparse.csr_array(A)], None), TypeError, r"coefs\[0\] is a sparse.*toarray"),
]
OF_ONE_NETWORK = [
    "canonical_form",
    "equalize",
    "identifiability_report",
    "path_count",
    "path_norm",
    "path_saliency",
    "path_sgd_scaling",
    "path_sketch",
    "path_sums",
    "prune",
    "quantize",
    "simplify",
    "top_paths",
]
OF_TWO_NETWORKS = ["align", "path_inner", "path_metric", "rescaling_factors"]
for id, network, error, message in BAD_NETWORKS:
    others = {name: re.sub("^network", name, message) for name in ("other", "start", "estimator")}
    for name in OF_ONE_NETWORK:
        refused(f"{name}: {id}", getattr(relu, name), network, error=error, message=message)
    for name in [*OF_TWO_NETWORKS, "is_rescaling_equivalent"]:
        call = partial(getattr(relu, name), NETWORK)
        refused(f"{name}, other: {id}", call, network, error=error, message=others["other"])
        call = lambda network, name=name: getattr(relu, name)(network, NETWORK)  # noqa: E731
        refused(f"{name}, first: {id}", call, network, error=error, message=message)
    for name in ("path_kernel", "activation_patterns", "activation_space"):
        call = lambda network, name=name: getattr(relu, name)(network, A)  # noqa: E731
        refused(f"{name}: {id}", call, network, error=error, message=message)
    refused(
        f"generalization_bound: {id}",
        lambda network: relu.generalization_bound(network, A, [0, 1] * 4),
        network,
        error=error,
        message=message,
    )
    refused(
        f"retrain: {id}",
        lambda network: relu.retrain(network, A, A[:, :2]),
        network,
        error=error,
        message=message,
    )
    if network is not None:
        refused(
            f"retrain, start: {id}",
            lambda network: relu.retrain(NETWORK, A, A[:, :2], start=network),
            network,
            error=error,
            message=others["start"],
        )
    refused(
        f"rescale: {id}",
        lambda network: relu.rescale(network, [np.ones(4)]),
        network,
        error=error,
        message=message,
    )
    if id not in ("None", "unfitted"):  # random layers; and networks that it fits
        refused(
            f"ReLUPathEmbedding: {id}",
            lambda network: ReLUPathEmbedding(network).fit(A),
            network,
            error=error,
            message=others["estimator"],
        )
mlp = MLPClassifier(hidden_layer_sizes=(3,), **easily).fit(A, A[:, 0] > 0)
LABELS = A[:, 0] > 0
OF_SAMPLES = {
    "path_kernel": relu.path_kernel,
    "activation_patterns": relu.activation_patterns,
    "activation_space": relu.activation_space,
    "identifiability_report": relu.identifiability_report,
    "simplify": lambda network, X: relu.simplify(network, dead_on=X),
    "retrain": lambda network, X: relu.retrain(network, X, LABELS),
    "generalization_bound": lambda network, X: relu.generalization_bound(network, X, LABELS),
    "output_bound": lambda network, X: relu.path_metric(network, network).output_bound(X),
    "ReLUPathEmbedding": lambda network, X: ReLUPathEmbedding(network).fit(X),
    "ActivationRegionsDisplay": lambda network, X: ActivationRegionsDisplay(network, X[:2]),
}
line = LinearRegression().fit(A, A)
for id, steps, error, message in [
    ("unfitted step", [StandardScaler()], NotFittedError, "StandardScaler instance is not fitted"),
    ("no transform", [line], TypeError, "step 'linearregression', a LinearRegression, has no tran"),
    ("other features", [PCA(3).fit(A)], ValueError, "after the earlier steps.*3 features.*8 input"),
    (
        "NaN",
        [FunctionTransformer(np.full_like, kw_args={"fill_value": np.nan})],
        ValueError,
        "contains NaN",
    ),
]:
    for name, call in OF_SAMPLES.items():
        refused(
            f"{name} of a pipeline: {id}",
            lambda network, X, call=call: call(network, X),
            make_pipeline(*steps, mlp),
            A,
            error=error,
            message=message,
        )
for name in ("path_kernel", "activation_patterns", "activation_space"):
    refused(
        f"{name}: images",
        lambda X, name=name: getattr(relu, name)(NETWORK, X),
        A.reshape(8, 2, 4),
        error=ValueError,
        message=r"X must be 2-D.*Flatten what stands in each row, X\.reshape\(8, -1\)",
    )
refused(
    "retrain: images",
    lambda X: relu.retrain(NETWORK, X, A[:, :2]),
    A.reshape(8, 2, 4),
    error=ValueError,
    message=r"X\.reshape\(8, -1\)",
)
for name in OF_TWO_NETWORKS:
    refused(
        f"{name}: other sizes",
        getattr(relu, name),
        NETWORK,
        ([COEFS[0]], None),
        error=ValueError,
        message=r"same layer sizes; got \(8, 4, 2\) and \(8, 4\)",
    )
works(
    "integer weights",
    relu.path_norm,
    ([np.array([[1, -2], [3, 4]])], [[1, 0]]),
    check=lambda result, network: assert_array_equal(result, 11.0),
)
works(
    "rescaled integers are floats",
    lambda network: relu.rescale(network, [[0.5]]),
    ([np.array([[1]]), np.array([[3]])], None),
    check=lambda result, network: assert_array_equal(np.ravel(result[0]), [0.5, 6.0]),
)

BAD_CALLS = [
    ("path_norm", {"q": 0}, ValueError, "q must be"),
    ("path_norm", {"q": -1.0}, ValueError, "q must be"),
    ("path_norm", {"q": np.inf}, ValueError, "q must be"),
    ("path_norm", {"q": np.nan}, ValueError, "q must be"),
    ("path_norm", {"q": "1"}, TypeError, "q must be"),
    ("path_norm", {"q": 10**400}, ValueError, "q must be"),
    ("path_sketch", {"n_components": 2**63}, ValueError, "n_components must be at most"),
    ("path_sketch", {"random_state": -1}, ValueError, "random_state must be.*got -1"),
    ("path_sketch", {"random_state": "seed"}, ValueError, "random_state must be.*got 'seed'"),
    ("rescaling_factors", {"other": NETWORK, "rtol": 10**400}, ValueError, "rtol must be"),
    ("identifiability_report", {"time_budget": 10**400}, ValueError, "time_budget must be"),
    ("path_kernel", {"X": [[1.0, 2.0], [3.0]]}, ValueError, "X is no rectangular array"),
    ("rescale", {"factors": [[1.0, [2.0]]]}, ValueError, r"factors\[0\] is no rectangular array"),
    ("rescale", {"factors": [np.ones(4) + 0j]}, TypeError, r"factors\[0\] has dtype complex128"),
    ("rescale", {"factors": [np.ones(4)] * 3}, ValueError, "got a list of length 3"),
    ("rescale", {"factors": np.ones((1, 4))}, ValueError, "must be a list.*got ndarray"),
    ("path_sums", {"q": 0}, ValueError, "q must be"),
    ("path_sketch", {"n_components": 0}, ValueError, "n_components"),
    ("path_sketch", {"n_components": 2.0}, TypeError, "n_components"),
    ("path_sketch", {"signs": "path"}, ValueError, "signs"),
    ("path_sketch", {"random_state": None}, ValueError, "random_state"),
    ("top_paths", {"k": 0}, ValueError, "k must be"),
    ("top_paths", {"k": 1.5}, TypeError, "k must be"),
    ("rescale", {"factors": [np.ones(3)]}, ValueError, r"factors\[0\] must have shape \(4,\)"),
    ("rescale", {"factors": []}, ValueError, "1 hidden layers"),
    ("rescale", {"factors": np.ones((1, 4))}, ValueError, "factors must be a list"),
    ("rescale", {"factors": [-np.ones(4)]}, ValueError, "positive"),
    ("rescale", {"factors": [np.zeros(4)]}, ValueError, r"positive and finite, got 0\.0"),
    ("rescale", {"factors": [np.full(4, np.nan)]}, ValueError, "positive"),
    ("rescale", {"factors": [np.full(4, 1e-310)]}, ValueError, "overflow"),
    ("equalize", {"p": 0}, ValueError, "p must be at least 1e-09, got 0"),
    ("equalize", {"p": -1.0}, ValueError, "p must be"),
    ("equalize", {"p": 10**400}, ValueError, "p must be a float or inf"),
    ("equalize", {"p": "2"}, TypeError, "p must be"),
    ("equalize", {"p": np.nan}, ValueError, "p must be"),
    ("equalize", {"max_iter": 0}, ValueError, "max_iter"),
    ("equalize", {"tol": -1.0}, ValueError, "tol"),
    ("prune", {"amount": 1.5}, ValueError, "amount"),
    ("prune", {"amount": -0.5}, ValueError, "amount"),
    ("prune", {"amount": 41}, ValueError, "amount must be at most 1.*40"),
    ("prune", {"amount": True}, TypeError, "amount"),
    ("prune", {"criterion": "random"}, ValueError, "criterion"),
    ("quantize", {"bits": 1}, ValueError, "bits"),
    ("quantize", {"bits": 33}, ValueError, "bits"),
    ("quantize", {"bits": 8.0}, TypeError, "bits"),
    ("quantize", {"scheme": "per_row"}, ValueError, "scheme"),
    ("simplify", {"tol": -1.0}, ValueError, "tol must be at least 0"),
    ("simplify", {"tol": 0.5}, ValueError, "tol must be at most 0.1"),
    ("simplify", {"tol": "small"}, TypeError, "tol must be"),
    ("simplify", {"dead_on": A[:, :3]}, ValueError, "dead_on has 3 features.*8 inputs"),
    ("simplify", {"dead_on": A[:0]}, ValueError, "dead_on must have at least one row"),
    ("identifiability_report", {"X": A[:, :3]}, ValueError, "X has 3 features.*8 inputs"),
    ("identifiability_report", {"X": changed(A, np.nan)}, ValueError, "X contains NaN"),
    ("identifiability_report", {"tol": np.nan}, ValueError, "tol must be"),
    ("identifiability_report", {"time_budget": -1.0}, ValueError, "time_budget"),
    ("identifiability_report", {"max_size": 0}, ValueError, "max_size"),
    (
        "identifiability_report",
        {"max_size": 700, "X": A},
        ValueError,
        "8 x 2 outputs by 46 parameters, compressed, has 736 entries.*At least 21 samples",
    ),
    ("activation_space", {"X": A[:, :3]}, ValueError, "X has 3 features.*8 inputs"),
    ("activation_space", {"X": A[:0]}, ValueError, "X must have at least one row"),
    ("activation_space", {"X": changed(A, np.nan)}, ValueError, "X contains NaN"),
    (
        "activation_space",
        {"X": A + 0j},
        TypeError,
        r"X has dtype complex128, but must be real: pass its \.real",
    ),
    ("activation_space", {"X": A, "tol": -1.0}, ValueError, "tol must be at least 0"),
    ("activation_space", {"X": A, "tol": "small"}, TypeError, "tol must be"),
    ("activation_space", {"X": A, "max_size": 0}, ValueError, "max_size"),
    ("activation_space", {"X": A, "max_size": 10}, ValueError, "more than max_size=10"),
    ("canonical_form", {"criterion": "norm"}, ValueError, "criterion must be one of.*got 'norm'"),
    ("canonical_form", {"criterion": None}, ValueError, "criterion must be one of"),
    ("activation_patterns", {"X": A[:, :3]}, ValueError, "X has 3 features.*8 inputs"),
    ("activation_patterns", {"X": A[:0]}, ValueError, "X must have at least one row"),
    ("activation_patterns", {"X": changed(A, np.nan)}, ValueError, "X contains NaN"),
    (
        "activation_patterns",
        {"X": A + 0j},
        TypeError,
        r"X has dtype complex128, but must be real: pass its \.real",
    ),
    ("activation_patterns", {"X": A.astype("f2")}, TypeError, "X has dtype float16"),
    ("path_kernel", {"X": A[:0]}, ValueError, "X must have at least one row"),
    ("path_kernel", {"X": A, "Y": A[:0]}, ValueError, "Y must have at least one row"),
    (
        "path_kernel",
        {"X": A + 0j},
        TypeError,
        r"X has dtype complex128, but must be real: pass its \.real",
    ),
    ("path_kernel", {"X": A, "Y": A[:, :3]}, ValueError, "Y has 3 features.*8 inputs"),
    ("path_kernel", {"X": changed(A, np.inf)}, ValueError, "X contains inf"),
]
for name in set(relu.__all__) - {"ReLUPathEmbedding"}:
    parameters = inspect.signature(getattr(relu, name)).parameters
    given = {"other": NETWORK, "X": A}
    others = {k: given[k] for k, p in parameters.items() if k in given and p.default is p.empty}
    BAD_CALLS += [
        (name, others | {flag: value}, TypeError, f"{flag} must be True or False, got ")
        for flag, parameter in parameters.items()
        for value in ("no", None, np.nan, [], [True], 0, 1.0, abs, np.ones(2))
        if isinstance(parameter.default, bool)
    ]
REGRESSION = {"X": A, "y": A[:, :2]}
CLASSIFICATION = {"X": A, "y": np.arange(8) % 2, "loss": "log_loss"}
BAD_CALLS += [
    ("retrain", REGRESSION | options, error, message)
    for options, error, message in [
        ({"X": A[:, :3]}, ValueError, "X has 3 features.*8 inputs"),
        ({"X": changed(A, np.nan)}, ValueError, "X contains NaN"),
        ({"X": scipy.sparse.csr_array(A)}, TypeError, "X is a sparse"),
        ({"X": 1e300 * A}, ValueError, "loss is no finite number at the start.*Scale X"),
        ({"y": A[:, 0]}, ValueError, r"y has shape \(8,\); one row.*8 samples.*2 outputs"),
        ({"y": A[:7, :2]}, ValueError, r"y has shape \(7, 2\)"),
        ({"y": changed(A, np.inf)[:, 1:3]}, ValueError, "y contains infinity"),
        ({"y": [["a", "b"]] * 8}, TypeError, "y has dtype"),
        ({"loss": "hinge"}, ValueError, "loss must be one of"),
        ({"start": ([A], None)}, ValueError, "same layer sizes"),
        ({"start": 3}, TypeError, "^start must be a pair.*got int"),
        ({"start": relu.NetworkGraph(8)}, TypeError, "^start is a NetworkGraph"),
        ({"X": None}, TypeError, "X has dtype object.*allowed are float32, float64, integers"),
        ({"X": A + 0j}, TypeError, r"X has dtype complex128, but must be real: pass its \.real"),
        ({"alpha": -1.0}, ValueError, "alpha must be at least 0"),
        ({"alpha": "auto"}, TypeError, "alpha must be float"),
        ({"alpha": np.inf}, ValueError, "alpha must be finite"),
        ({"tol": np.inf}, ValueError, "tol must be finite"),
        ({"solver": "sgd"}, ValueError, "solver must be one of"),
        ({"max_iter": 0}, ValueError, "max_iter must be at least 1"),
        ({"tol": -1.0}, ValueError, "tol must be at least 0"),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1"),
        ({"batch_size": "all"}, TypeError, "batch_size must be int or 'auto'"),
        ({"learning_rate_init": "fast"}, TypeError, "learning_rate_init must be float"),
        *(
            (
                {"solver": solver, "learning_rate_init": rate},
                ValueError,
                "learning_rate_init must be positive and finite",
            )
            for solver in ("lbfgs", "adam")
            for rate in (0, -1.0, np.inf, np.nan)
        ),
        ({"random_state": -1}, ValueError, "random_state must be.*got -1"),
    ]
]
BAD_CALLS += [
    ("retrain", CLASSIFICATION | options, error, message)
    for options, error, message in [
        ({"y": A[:, :2]}, ValueError, r"y has shape \(8, 2\); one label"),
        ({"y": np.arange(8)}, ValueError, r"y has the label .*2.*none of the classes \[0, 1\]"),
        ({"y": ["no"] * 8}, ValueError, "y has the label 'no'"),
    ]
]
BAD_CALLS += [
    ("generalization_bound", {"X": A, "y": [0, 1] * 4} | options, error, message)
    for options, error, message in [
        ({"X": A[:, :3]}, ValueError, "X has 3 features.*8 inputs"),
        ({"X": changed(A, np.nan)}, ValueError, "X contains NaN"),
        ({"X": "a"}, TypeError, "X has dtype .*'a'; allowed are float32, float64, integers"),
        ({"y": [0, 2] * 4}, ValueError, r"y has the label 2.*none of the classes \[0, 1\]"),
        ({"delta": 0.0}, ValueError, "delta must be between 0 and 1"),
        ({"delta": 1.0}, ValueError, "delta must be between 0 and 1"),
        ({"delta": "small"}, TypeError, "delta must be float"),
        ({"rescaling": "mean"}, ValueError, "rescaling must be one of"),
        ({"sigma": 0.0}, ValueError, "sigma must be positive and finite"),
        ({"sigma": np.inf}, ValueError, "sigma must be positive and finite"),
        ({"n_draws": 0}, ValueError, "n_draws must be at least 1"),
        ({"random_state": "seed"}, ValueError, "random_state must be.*got 'seed'"),
    ]
]
for number, (name, options, error, message) in enumerate(BAD_CALLS):
    refused(
        f"{name}, option {number}: {list(options)[-1]}",
        partial(getattr(relu, name), **options),
        NETWORK,
        error=error,
        message=message,
    )
for id, X, error, message in [
    ("no rows", A[:0], ValueError, "X must have at least one row"),
    ("NaN", changed(A, np.nan), ValueError, "X contains NaN"),
    ("complex", A + 0j, TypeError, r"X has dtype complex128, but must be real: pass its \.real"),
    ("1-D", A[0], ValueError, "X must be 2-D"),
    ("features", A[:, :3], ValueError, "X has 3 features.*8 inputs"),
]:
    refused(
        f"output_bound: {id}",
        relu.path_metric(NETWORK, NETWORK).output_bound,
        X,
        error=error,
        message=message,
    )


classifier = MLPClassifier(hidden_layer_sizes=(3,), **easily).fit(A, A[:, :2] > 0)
poisson = MLPRegressor(hidden_layer_sizes=(), **easily).fit(A, abs(A[:, 0]))
poisson.out_activation_ = "exp"  # as the loss "poisson" of newer releases has it
for id, network, y, error, message in [
    ("multilabel", classifier, A[:, :2], ValueError, "y must be 0 or 1 for each label"),
    ("negative counts", poisson, A[:, 0], ValueError, r"y must not be negative \(Poisson"),
]:
    refused(
        f"retrain: {id}",
        lambda network, y: relu.retrain(network, A, y),
        network,
        y,
        error=error,
        message=message,
    )
regressor = MLPRegressor(hidden_layer_sizes=(), **easily)
for id, network, message in [
    ("regressor", regressor.fit(A, A[:, 0]), "network is an MLPRegressor"),
    ("in a pipeline", make_pipeline(regressor), "network is an MLPRegressor"),
]:
    refused(
        f"generalization_bound: {id}",
        lambda network: relu.generalization_bound(network, A, A[:, :2] > 0),
        network,
        error=TypeError,
        message=message,
    )
refused(
    "retrain: loss of an MLP",
    lambda network: relu.retrain(network, A, A[:, :2] > 0, loss="log_loss"),
    classifier,
    error=ValueError,
    message="loss must be None for a MLPClassifier",
)


BAD_EMBEDDINGS = [
    ({"estimator": NETWORK, "hidden_layer_sizes": (3,)}, ValueError, "hidden_layer_sizes"),
    ({"hidden_layer_sizes": (3, 0)}, ValueError, "hidden_layer_sizes"),
    ({"hidden_layer_sizes": 2.5}, TypeError, "hidden_layer_sizes"),
    ({"hidden_layer_sizes": "wide"}, TypeError, "hidden_layer_sizes"),
    ({"n_paths": 0}, ValueError, "n_paths"),
    ({"n_paths": 1.5}, TypeError, "n_paths"),
    ({"max_paths": 0}, ValueError, "max_paths"),
    ({"max_paths": 72}, ValueError, "73 paths to each output.*max_paths=72"),
    ({"n_paths": 20, "max_paths": 10}, ValueError, "max_paths=10"),
    ({"sparse_output": "yes"}, TypeError, "sparse_output must be True or False, got 'yes'"),
    ({"sparse_output": None}, TypeError, "sparse_output must be True or False"),
    ({"random_state": -1}, ValueError, "random_state must be.*got -1"),
    ({"estimator": NETWORK, "random_state": -1}, ValueError, "random_state must be.*got -1"),
    ({"hidden_layer_sizes": np.array(2.5)}, TypeError, "hidden_layer_sizes"),
    ({"backend": "gpu"}, ValueError, "backend"),
    ({"random_state": "seed"}, ValueError, "seed"),
    ({"estimator": ([A[:3]], None)}, ValueError, "X has 8 features.*3 inputs"),
    ({"estimator": MLPRegressor()}, ValueError, "requires y"),
    ({"estimator": MLPRegressor(activation="tanh")}, ValueError, "activation='tanh'"),
]
for number, (options, error, message) in enumerate(BAD_EMBEDDINGS):
    refused(
        f"ReLUPathEmbedding, parameter {number}: {list(options)[-1]}",
        ReLUPathEmbedding(**options).fit,
        A,
        error=error,
        message=message,
    )
for id, X, error, message in BAD_X:
    if id != "sparse":
        refused(
            f"ReLUPathEmbedding: X {id}",
            ReLUPathEmbedding().fit,
            X,
            error=error,
            message=message,
        )
refused(
    "ReLUPathEmbedding: not fitted",
    ReLUPathEmbedding().transform,
    A,
    error=NotFittedError,
    message="not fitted",
)
embedding = ReLUPathEmbedding(NETWORK).fit(A)
refused("path features: width", embedding.transform, A[:, :3], error=ValueError, message="X has 3")
refused(
    "path features: NaN", embedding.transform, changed(A, np.nan), error=ValueError, message="NaN"
)
refused(
    "path names: too few",
    embedding.get_feature_names_out,
    ["a", "b"],
    error=ValueError,
    message="input_features should have length equal",
)
