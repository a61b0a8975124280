"""Fourier transforms of any size as chains of Kronecker-sparse factors, real or complex."""
