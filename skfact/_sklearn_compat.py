"""The few scikit-learn names that are private or newer than the oldest supported version."""

from __future__ import annotations

from typing import Any

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


__all__ = ["CallbackSupportMixin", "with_callbacks"]
