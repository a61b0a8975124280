"""Compiled loops over one Kronecker-sparse factor, for the loops over many (generic: apply)."""
