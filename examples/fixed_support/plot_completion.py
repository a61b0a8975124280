"""
================================
Unique factors, entry by entry
================================

When do supports and a product leave no choice of the factors, up to the scaling of each column of
one against a row of the other? One proof is to find them in steps that are all forced.
:func:`~skfact.fixed_support.complete_rank_one` takes such steps for the sum of rank-one matrices
that the product is, :math:`Z = \\sum_i X_{:,i} Y_{i,:}`.
"""

# Authors: skfact developers
# SPDX-License-Identifier: BSD-3-Clause

import matplotlib.pyplot as plt
import numpy as np

from skfact.fixed_support import complete_rank_one, is_closable, rank_one_contributions
from skfact.inspection import CompletionDisplay

left_support = np.array([[0, 1, 0], [1, 1, 0], [1, 1, 1], [1, 0, 1]])
right_support = np.array([[1, 1, 0, 0], [0, 1, 1, 0], [0, 1, 1, 1]])
Z = np.array([[0, 1, 2, 0], [1, 2, 2, 0], [2, 6, 5, 6], [3, 5, 2, 4]])
completion = complete_rank_one(Z, left_support, right_support)
print(completion)

# %%
# Component 0 alone reaches the first column of Z, which is read off (step 1). Three entries of
# component 1 can be read in the same way (2). They say in which ratio its columns stand, so that
# another entry is filled in (3). What is known of one component is subtracted from Z, and more of
# the others can be read (6, 8 and 10).
#
# Every step is forced: whoever factors Z with these supports has these three components.
CompletionDisplay.from_completion(completion)
plt.show()

# %%
# The factors have columns and rows of equal norms. Their contributions are the components.
print(np.round(completion.left, 3), np.round(completion.right, 3), sep="\n\n")
contributions = rank_one_contributions(completion.left, completion.right)
assert np.allclose(contributions.sum(axis=0), Z)

# %%
# Supports that meet in too many entries stop the steps. For the product of a lower and an upper
# triangular matrix the corner is the sum of two numbers, and nothing tells which.
lower = np.tri(2)
print(is_closable(lower, lower.T))
stuck = complete_rank_one([[0, 1], [1, 5]], lower, lower.T)
print(stuck)
CompletionDisplay.from_completion(stuck)
plt.show()

# %%
# With a pivot that is not zero the steps go on: a ratio needs an entry to divide by.
print(complete_rank_one([[2, 1], [1, 5]], lower, lower.T))
