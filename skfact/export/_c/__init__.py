"""Operators as C source."""
