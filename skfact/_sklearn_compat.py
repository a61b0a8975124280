"""The few scikit-learn names that are private or newer than the oldest supported version."""

from __future__ import annotations

from typing import Any

from sklearn.base import OneToOneFeatureMixin
from sklearn.utils._set_output import ADAPTERS_MANAGER, _get_output_config

try:  # scikit-learn >= 1.9
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:

    class _SilentContext:
        """A callback context that nobody listens to."""

        def subcontext(self, **kwargs: Any) -> _SilentContext:
            return self

        def call_on_fit_task_begin(self, **kwargs: Any) -> _SilentContext:
            return self

        def call_on_fit_task_end(self, **kwargs: Any) -> bool:
            return False

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands in where scikit-learn has no callbacks yet."""

        def _init_callback_context(self, **kwargs: Any) -> _SilentContext:
            return _SilentContext()

    def with_callbacks(method: Any) -> Any:
        """Leave the method as it is."""
        return method


def as_set_output(estimator: Any, values: Any, X: Any) -> Any:
    """New values of all features of X in the container that `set_output` of an estimator asks for.

    scikit-learn does so for the columns that `transform` gives, and for that method alone.
    """
    container = _get_output_config("transform", estimator)["dense"]
    if container == "default":
        return values
    names = OneToOneFeatureMixin.get_feature_names_out(estimator)
    return ADAPTERS_MANAGER.adapters[container].create_container(values, X, columns=names)


__all__ = ["CallbackSupportMixin", "as_set_output", "with_callbacks"]
