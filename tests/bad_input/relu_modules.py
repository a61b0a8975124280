"""PyTorch modules that are no ReLU networks, or compute something else than their weights say."""

import numpy as np

from skfact import ReLUPathEmbedding, relu
from tests.bad_input.cases import refused

try:
    from tests.relu import modules
except ImportError:  # without PyTorch there is nothing to refuse
    modules = None

X = np.random.default_rng(0).standard_normal((20, 5))

# every function of networks
FUNCTIONS = {
    "activation_patterns": lambda m: relu.activation_patterns(m, X),
    "activation_space": lambda m: relu.activation_space(m, X),
    "align": lambda m: relu.align(m, m),
    "canonical_form": relu.canonical_form,
    "equalize": relu.equalize,
    "generalization_bound": lambda m: relu.generalization_bound(m, X, X[:, 0] > 0, n_draws=1),
    "identifiability_report": relu.identifiability_report,
    "is_rescaling_equivalent": lambda m: relu.is_rescaling_equivalent(m, m),
    "path_count": relu.path_count,
    "path_inner": lambda m: relu.path_inner(m, m),
    "path_kernel": lambda m: relu.path_kernel(m, X),
    "path_metric": lambda m: relu.path_metric(m, m),
    "path_norm": relu.path_norm,
    "path_saliency": relu.path_saliency,
    "path_sgd_scaling": relu.path_sgd_scaling,
    "path_sketch": relu.path_sketch,
    "path_sums": relu.path_sums,
    "prune": relu.prune,
    "quantize": relu.quantize,
    "rescale": lambda m: relu.rescale(m, [np.ones(6), np.ones(6)]),
    "retrain": lambda m: relu.retrain(m, X, X[:, :2], tol=0.1),
    "rescaling_factors": lambda m: relu.rescaling_factors(m, m),
    "simplify": relu.simplify,
    "top_paths": relu.top_paths,
    "ReLUPathEmbedding": lambda m: ReLUPathEmbedding(m).fit(X),
}

if modules is not None:
    MADE = {
        **{f"hook: {id}": (modules.with_hook, (put,), m) for id, (put, m) in modules.HOOKS.items()},
        **{
            f"tied {id}": (modules.with_tie, (put,), modules.TIE)
            for id, put in modules.TIED.items()
        },
        **{id: (make, (), message) for id, (make, message) in modules.UNREAD.items()},
    }
    for name, function in FUNCTIONS.items():
        for id, (make, put, message) in MADE.items():
            if name == "ReLUPathEmbedding":  # it calls what it is given its estimator
                message = message.replace("network", "(estimator|network)")
            refused(
                f"{name}: module with {id}",
                lambda function=function, make=make, put=put: function(make(*put)),
                error=TypeError if id == "half precision" else ValueError,
                message=message,
            )
