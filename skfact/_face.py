"""What the estimators share: samples to where `backend` computes and back, progress, a score."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import scipy.sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from skfact._backend import (
    array_namespace,
    detached,
    device,
    is_full_device,
    move_like,
    on_backend,
    portable,
)
from skfact._checks import check_matrix
from skfact._samples import validate_samples
from skfact._sklearn_compat import CallbackSupportMixin


def all_or_nothing(method: Callable[..., Any]) -> Callable[..., Any]:
    """A way to fit an estimator that ends, or leaves it as it was: unfitted, or as fitted before.

    Where the memory of a device is too small, the error says what helps.
    """

    @functools.wraps(method)
    def fitting(self: Any, X: Any, *args: Any, **kwargs: Any) -> Any:
        before = dict(vars(self))
        try:
            return method(self, X, *args, **kwargs)
        except BaseException as error:
            vars(self).clear()
            vars(self).update(before)
            if is_full_device(error):
                error.add_note(_advice(self, X))
            raise

    return fitting


def _advice(estimator: Any, X: Any) -> str:
    shape = tuple(getattr(X, "shape", None) or np.shape(X))
    return (
        f"{type(estimator).__name__} ran out of the memory of the device with X of shape {shape}: "
        "pass fewer samples or float32, free arrays that the device still holds, or compute on the "
        "host, with backend='numpy' and NumPy arrays."
    )


class Face(TransformerMixin, BaseEstimator):
    """A transformer of arrays of any library, which computes where `backend` says.

    A subclass has the parameter `backend`, and says by `_fitted_array` what samples must resemble.
    """

    def __getstate__(self) -> dict[str, Any]:
        return portable(super().__getstate__())

    def _fitted_array(self) -> Any:
        """An array that `fit` left: samples must be of its library and on its device."""
        raise NotImplementedError

    def _samples(self, X: Any, method: str, **accepted: bool) -> Any:
        """X as `method` of a fitted estimator takes it."""
        check_is_fitted(self)
        X = self._validated(X, reset=False, **accepted)
        given = np.empty(0) if scipy.sparse.issparse(X) else X
        self._require_namespace(given, method)
        return X

    def _validated(self, X: Any, *, reset: bool, **accepted: bool) -> Any:
        """X as an array to compute with; with `reset` it is what the estimator is fitted on."""
        return validate_samples(self, X, reset=reset, **accepted)

    def _codes(self, X: Any) -> Any:
        """X as `inverse_transform` takes it: codes of as many columns as `transform` gives."""
        check_is_fitted(self)
        X = check_matrix(X, "X")
        xp = array_namespace(X)
        if X.shape[1] != self._n_features_out:
            raise ValueError(
                f"X has {X.shape[1]} columns, but transform gives {self._n_features_out}: pass "
                "codes as transform returns them."
            )
        if not bool(xp.all(xp.isfinite(X))):
            raise ValueError("X contains NaN or infinity. Remove or impute such entries first.")
        self._require_namespace(X, "inverse_transform")
        return X

    def _require_namespace(self, X: Any, method: str) -> None:
        """Raise unless X is of the array library and on the device of what `fit` left."""
        fitted = self._fitted_array()
        known, given = array_namespace(fitted), array_namespace(X)
        if known is not given or device(fitted) != device(X):
            raise ValueError(
                f"Inputs passed to {type(self).__name__}.{method}() must use the same namespace "
                f"and the same device as those passed to fit(): fitted on {known.__name__} "
                f"({device(fitted)}), got {given.__name__} ({device(X)}). Convert X, or fit on "
                "arrays of this kind."
            )

    def _there_and_back(
        self, function: Callable[[Any], Any], X: Any, *, row_by_row: bool = True
    ) -> Any:
        """The function of X, computed where `backend` says, in the array type of X.

        Where the memory of a device is too small, in parts, if the function takes each row alone.
        """
        n = X.shape[0]
        try:
            return self._at_once(function, X)
        except (MemoryError, RuntimeError) as error:
            if not is_full_device(error):
                raise
            if n < 2 or not row_by_row:
                error.add_note(_advice(self, X))
                raise
        parts = (slice(0, n // 2), slice(n // 2, n))
        found = [self._there_and_back(function, X[rows, ...]) for rows in parts]
        return array_namespace(X).concat(found)

    def _at_once(self, function: Callable[[Any], Any], X: Any) -> Any:
        # a frame of its own, which ends with what it holds on a device
        (work,) = on_backend(self.backend, X)
        return move_like(function(work), X)

    def _share_kept(self, X: Any, round_trip: Callable[[Any], Any]) -> float:
        """1 - ||X - round_trip(X)||^2 / ||X||^2 for a linear map; one where X is zero."""
        X, xp = detached(X), array_namespace(X)
        largest = float(xp.max(xp.abs(X)))
        if largest == 0:
            return 1.0
        (work,) = on_backend(self.backend, X / largest)  # whose squares are numbers
        norm = array_namespace(work).linalg.vector_norm
        return 1.0 - (float(norm(work - round_trip(work))) / float(norm(work))) ** 2

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.array_api_support = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


class ReportsProgress(CallbackSupportMixin):
    """Prints where `verbose` asks for it, and tells scikit-learn's callbacks."""

    @contextmanager
    def _progress(self) -> Iterator[Callable[..., bool]]:
        """Give a function to report steps of a fit; it says whether a callback ends the fit.

        It takes the name of the task, what to print, and the number of the step: with
        ``verbose=v`` those divisible by v are printed.
        """
        context = self._init_callback_context(max_subtasks=None)
        context.call_on_fit_task_begin(estimator=self)

        def report(task: str, text: str, number: int = 0) -> bool:
            if self.verbose and number % int(self.verbose) == 0:
                print(f"[{type(self).__name__}] {text}")
            subtask = context.subcontext(task_name=task)
            subtask.call_on_fit_task_begin(estimator=self)
            return bool(subtask.call_on_fit_task_end(estimator=self))

        yield report
        context.call_on_fit_task_end(estimator=self)
