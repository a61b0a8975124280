"""How an iteration can end, and what is to be said of it."""

from __future__ import annotations

from enum import Enum, auto
from typing import Any

from sklearn.exceptions import ConvergenceWarning

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


def complaint(outcome: Outcome, parameters: dict[str, Any]) -> Warning | ValueError | None:
    """What an estimator of those parameters has to warn of, or to raise."""
    if outcome not in MESSAGES:
        return None
    category, text = MESSAGES[outcome]
    return category(text.format(**parameters))
