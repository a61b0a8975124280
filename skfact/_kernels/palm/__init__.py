"""Sweeps of PALM over Kronecker-sparse factors (the generic ones: deep_linear/_palm/sweeps.py)."""
