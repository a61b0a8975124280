"""Where array-api-compat looks for the class."""

from . import Device

__all__ = ["Device"]
