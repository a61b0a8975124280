"""Warnings of skfact."""

__all__ = ["IllPosedWarning", "StructureWarning"]


class IllPosedWarning(UserWarning):
    """The best approximation seems not to exist: factors grow without end while the loss falls.

    Such a problem has an infimum that is not attained, and any factors that a solver returns are
    those of the moment when it stopped. A ridge penalty (``alpha > 0``) makes it well posed.

    See Also
    --------
    skfact.fixed_support.fixed_support_factorize : A function that warns so.

    Examples
    --------
    The anti-diagonal matrix has no LU decomposition, but matrices that have one come arbitrarily
    close to it:

    >>> import warnings
    >>> import numpy as np
    >>> from skfact.exceptions import IllPosedWarning
    >>> from skfact.fixed_support import fixed_support_factorize
    >>> A, lower = np.array([[0.0, 1.0], [1.0, 0.0]]), np.tri(2)
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     result = fixed_support_factorize(A, lower, lower.T, random_state=0)
    >>> caught[0].category is IllPosedWarning
    True
    """


class StructureWarning(UserWarning):
    """The factors are of little use: they miss the matrix, or save nothing on it.

    Given where a relative error above one half was reached and no tolerance for it was set, and
    where a matrix of 1,024 entries or more needs no more numbers than its factors. The message
    says what was reached, what plain low rank reaches with as many numbers, and what to try. Dense
    supports of a given number of components are plain low rank, and keep what they can in silence.
    Given, too, where supports leave nothing, so that the product is zero for every matrix.

    See Also
    --------
    skfact.butterfly.butterfly_factorize : A function that warns so.

    Examples
    --------
    A matrix without structure:

    >>> import warnings
    >>> import numpy as np
    >>> from skfact.butterfly import butterfly_factorize
    >>> from skfact.exceptions import StructureWarning
    >>> A = np.random.default_rng(0).standard_normal((64, 64))
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     operator = butterfly_factorize(A)
    >>> caught[0].category is StructureWarning
    True
    """
