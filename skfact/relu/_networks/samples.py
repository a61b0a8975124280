"""Samples as functions of networks take them: of a pipeline, what comes in front of all steps."""

from __future__ import annotations

import copy
from typing import Any

from skfact._backend import array_namespace, detached
from skfact._checks import check_matrix, refuse_lazy, require_finite
from skfact._inputs import is_sparse
from skfact.relu._networks.network import EarlierSteps, Network, require_numbers


def inputs_of(network: Network, X: Any, name: str = "X") -> Any:
    """What arrives at a network for samples X, a real, finite matrix in its own library.

    X comes as what was read takes it: in front of the earlier steps of a pipeline.
    """
    given = after_steps(network.earlier, X, name)
    if network.earlier and is_sparse(given):
        raise TypeError(
            f"{name} is a sparse matrix after the earlier steps of the pipeline, which is not "
            f"accepted here: pass pipeline[-1] in place of it, and "
            f"pipeline[:-1].transform({name}).toarray()."
        )
    return checked_samples(given, network.sizes[0], name_after(network.earlier, name))


def name_after(earlier: EarlierSteps, name: str) -> str:
    """How messages call samples that went through the earlier steps."""
    return f"{name}, after the earlier steps of the pipeline," if earlier else name


def after_steps(earlier: EarlierSteps, X: Any, name: str) -> Any:
    """What steps of a pipeline, in their order, make of samples; X itself if there are none.

    A TypeError tells of a step that has no `transform`, scikit-learn's NotFittedError of one that
    is not fitted.
    """
    if not earlier:
        return X
    refuse_lazy(X, name)
    X = copy.deepcopy(detached(X))  # steps with copy=False would write to it
    for step_name, step in earlier:
        if not hasattr(step, "transform"):
            raise TypeError(
                f"network is a Pipeline whose step {step_name!r}, a {type(step).__name__}, has no "
                "transform: samples cannot go through it. Pass the last step of the pipeline, and "
                f"{name} as it takes them."
            )
        X = step.transform(X)
    return X


def names_after(earlier: EarlierSteps, names: list[str] | None) -> list[str] | None:
    """Names of the features that steps of a pipeline make of those with the given names, if any."""
    for _, step in earlier:
        names = list(step.get_feature_names_out(names))
    return names


def checked_samples(X: Any, n_inputs: int | None, name: str) -> Any:
    """X as a real, finite matrix in its own library, with `n_inputs` features if not None."""
    X = check_matrix(X, name, real=True)
    require_numbers(X, name)
    xp = array_namespace(X)
    if n_inputs is not None and X.shape[1] != n_inputs:
        raise ValueError(
            f"{name} has {X.shape[1]} features, but the network has {n_inputs} inputs."
        )
    require_finite(float(xp.max(xp.abs(X))), name)
    return X
