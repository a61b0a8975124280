"""Which structure fits a matrix, and whether one does: facts for each budget, in words."""
