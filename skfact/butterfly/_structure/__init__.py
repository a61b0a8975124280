"""Which chain fits a matrix: the lattice of the nodes that all chains pass, and what each costs."""
