"""The choice of the solver, searches over families of supports, and how they ended."""
