"""Alternating least squares, where no closed form is known."""
