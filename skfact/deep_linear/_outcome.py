"""How an iteration can end, and what is to be said of it."""

from __future__ import annotations

from enum import Enum, auto
from typing import Any

from sklearn.exceptions import ConvergenceWarning

from skfact._backend import array_namespace
from skfact._linalg import count_nonzero, norm2
from skfact._warn import TOY
from skfact.deep_linear._linear_network import LinearNetwork
from skfact.exceptions import IllPosedWarning


class Outcome(Enum):
    """Every way for a solver to end."""

    CONVERGED = auto()
    STOPPED = auto()  # by a callback
    CUT_OFF = auto()  # while the loss still fell
    DIVERGING = auto()  # factors large against their product
    WORSE_THAN_NOTHING = auto()
    NOT_FINITE = auto()


# in terms of the parameters of SparseDeepLinearNet
MESSAGES: dict[Outcome, tuple[type[Warning | ValueError], str]] = {
    Outcome.CUT_OFF: (
        ConvergenceWarning,
        "The loss still fell after max_iter={max_iter} iterations; increase max_iter or tol.",
    ),
    Outcome.DIVERGING: (
        IllPosedWarning,
        "The factors have grown large against their product: the best factors on these supports "
        "seem not to exist. Pass alpha > 0 (a ridge penalty).",
    ),
    Outcome.WORSE_THAN_NOTHING: (
        ConvergenceWarning,
        "The loss ends above that of predicting the mean: learning_rate_init={learning_rate_init} "
        "is too large. Pass a smaller one.",
    ),
    Outcome.NOT_FINITE: (
        ValueError,
        "Training diverged with learning_rate_init={learning_rate_init}: the loss is not finite. "
        "Pass a smaller one, or scale X and y.",
    ),
}


def complaint(
    outcome: Outcome, parameters: dict[str, Any]
) -> tuple[type[Warning | ValueError] | None, str]:
    """What an estimator of those parameters has to warn of, or to raise."""
    if outcome not in MESSAGES:
        return None, ""
    category, text = MESSAGES[outcome]
    return category, text.format(**parameters)


def uselessness(network: LinearNetwork, values: list[Any], loss: float, X: Any, Y: Any) -> str:
    """Why factors for samples X (n_in, n) and centred targets Y (n_out, n) are of no use, if so.

    The loss may have a penalty in it.
    """
    xp, (n_out, n_in) = array_namespace(X), (Y.shape[0], X.shape[0])
    close = float(xp.finfo(X.dtype).eps) ** 0.5
    least = (1 - close) * 0.5 * norm2(Y)
    if (
        loss >= least  # the rest reads all samples again
        and norm2(X @ Y.T) > close * norm2(X) * norm2(Y)
        and network.loss_and_gradient(values, X, Y)[0] >= least
    ):
        return (
            "The outputs are no better than the mean of y, though it depends on X: try larger "
            "supports, a smaller alpha, or another start (random_state)."
        )
    n_numbers = sum(count_nonzero(value) for value in values)
    if n_numbers >= n_out * n_in >= TOY and not network.is_dense:
        return (
            f"The factors have {n_numbers} numbers, and the dense matrix only {n_out * n_in}: try "
            "smaller supports, or supports='dense' without hidden layers."
        )
    return ""
