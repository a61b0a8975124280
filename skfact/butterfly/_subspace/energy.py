"""How much of some rows a row space holds, and in which direction that grows."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from skfact._backend import array_namespace
from skfact._exponents import binary_exponent, times_power_of_two
from skfact._linalg import abs2, adjoint, inner, is_complex, limited

# Features up to which the products of all pairs are formed.
FEW_FEATURES = 2048
# Entries of the rows that are handled at a time in double precision.
PART = 2**22
# Ridge of B B^H, as a share of its mean eigenvalue. It keeps the rows of B from becoming nearly
# dependent for gains of next to nothing: models after a transform feel its condition.
RIDGE = 3e-4
# Share of the mean eigenvalue that rounding makes of none.
TINY = 1e-12


class Look(NamedTuple):
    """What a product is worth."""

    value: float  # the objective: the share of the energy, with a ridge
    share: float  # of the energy in the row space
    gradient: Any  # (k, n_features), of the objective


class Shortfall(NamedTuple):
    r"""What a span keeps less than that of the leading directions V, all over 2**exponent.

    A product B with :math:`\|R V - B\|_F \le b` for an orthogonal R misses at most
    :math:`((\text{largest} \cdot b)^2 + 2\, \text{leak}^2 b)^{1/2}`; there is no leak where V are
    singular vectors.
    """

    missed: float  # root of the difference of the energies
    size: float  # root of the energy in the span of V
    largest: float  # largest singular value of the rows along V
    leak: float  # root of the norm of V S outside the span of V


class Energy:
    r"""The energy :math:`\operatorname{tr}((B S B^H)(B B^H)^{-1})`, S = rows^H rows, of given rows.

    It is what the rows keep when they are projected on the row space of B. Rows (n_rows,
    n_features) of samples less their mean make it a variance, times their number. S is formed only
    where it is small beside the rows. Everything but products with long rows is in double
    precision; `exponent` is a power of two taken out of the rows.
    """

    def __init__(self, rows: Any) -> None:
        self.exponent = binary_exponent(rows)
        self.rows = times_power_of_two(rows, -self.exponent)
        self.xp = array_namespace(rows)
        self.dtype = self.xp.complex128 if is_complex(rows) else self.xp.float64
        n_rows, n = rows.shape
        self._gram = self._products() if n <= min(FEW_FEATURES, 2 * n_rows) else None
        self.norm = math.sqrt(sum(self._energy(part) for part in self._parts()))

    def outside(self, components: Any) -> float:
        """Norm of what the rows have outside the span of components (k, n_features) of any rank."""
        basis = self._basis(components)
        found = (self._energy(part - (part @ adjoint(basis)) @ basis) for part in self._parts())
        return math.sqrt(sum(found))

    def rank(self, components: Any) -> int:
        """Dimension of the span of components."""
        return int(self._basis(components).shape[0])

    def beside(self, leading: Any, components: Any) -> Shortfall:
        r"""What the span of components keeps less than that of orthonormal rows V.

        With Q an orthonormal basis of the one and P = V^H V, the difference of the energies is
        :math:`\operatorname{tr}(V'^H V S V^H V') - \operatorname{tr}(Q' S Q'^H) - 2
        \operatorname{Re} \operatorname{tr}(Q P S (I - P) Q'^H)` for V' = V - V Q^H Q and
        Q' = Q - Q P: small terms where it is small.
        """
        V, Q = self.double(leading), self._basis(components)
        image = self.times(V)  # V S
        across = image @ adjoint(V)
        overlap = Q @ adjoint(V)
        leaking = image - across @ V
        rest, out = V - adjoint(overlap) @ Q, Q - overlap @ V
        less = inner(across @ rest, rest) - inner(self.times(out), out)
        less -= 2 * inner(overlap @ leaking, out)
        return Shortfall(
            missed=math.sqrt(max(less, 0.0)),
            size=math.sqrt(max(float(self.xp.sum(self.xp.linalg.eigvalsh(across))), 0.0)),
            largest=math.sqrt(max(float(self.xp.max(self.xp.linalg.eigvalsh(across))), 0.0)),
            leak=math.sqrt(_norm(leaking)),
        )

    def look(self, components: Any) -> Look:
        r"""The energy in the span of B (k, n_features), the objective and its gradient.

        The objective is :math:`\operatorname{tr}(Q S Q^H)` for :math:`Q = R B`,
        :math:`R = (B B^H + \lambda)^{-1/2}` and :math:`\lambda = \rho \|B\|_F^2 / k`. Its gradient
        in B for a fixed ridge :math:`\lambda` is :math:`2 R Q S (I - Q^H Q)`. A tall B = U T, with
        orthonormal columns of U, is worth what T is.
        """
        if components.shape[0] > components.shape[1]:
            U, T = self.xp.linalg.qr(components)
            found = self._look(T, components.shape[0])
            return found._replace(gradient=U @ found.gradient)
        return self._look(components, components.shape[0])

    def _look(self, components: Any, k: int) -> Look:
        """The same for components no taller than wide, which stand for k."""
        xp, total = self.xp, self.norm**2
        eigenvalues, vectors = xp.linalg.eigh(components @ adjoint(components))
        eigenvalues = limited(eigenvalues, low=0.0)
        mean = float(xp.sum(eigenvalues)) / k
        scale = 1 / xp.sqrt(eigenvalues + RIDGE * mean)
        root = xp.astype(scale, self.dtype)[:, None] * adjoint(vectors)
        Q = root @ components  # orthogonal rows
        image = self.times(Q)
        along = xp.sum(xp.real(image * xp.conj(Q)) if is_complex(Q) else image * Q, axis=1)
        told = eigenvalues > TINY * mean
        shares = along * (1 + RIDGE * mean / xp.where(told, eigenvalues, mean))
        gradient = adjoint(root) @ (image - (image @ adjoint(Q)) @ Q)
        # the ridge grows with B
        rate = RIDGE / k * float(xp.sum(along * scale**2))
        return Look(
            float(xp.sum(along)) / total,
            float(xp.sum(xp.where(told, shares, along))) / total,
            (2 / total) * (gradient - rate * components),
        )

    def times(self, Q: Any) -> Any:
        """The product Q S."""
        if self._gram is not None:
            return Q @ self._gram
        image = self.xp.astype(Q, self.rows.dtype, copy=False) @ adjoint(self.rows)
        return self.double(image @ self.rows)

    def double(self, array: Any) -> Any:
        """The array in double precision."""
        return self.xp.astype(array, self.dtype, copy=False)

    def _parts(self) -> Any:
        """Some rows at a time, in double precision."""
        n_rows, n = self.rows.shape
        step = min(n_rows, max(1, PART // n))
        for start in range(0, n_rows, step):
            yield self.double(self.rows[start : start + step, :])

    def _products(self) -> Any:
        return sum(adjoint(part) @ part for part in self._parts())

    def _energy(self, part: Any) -> float:
        return float(self.xp.sum(abs2(part)))

    def _basis(self, components: Any) -> Any:
        """Orthonormal rows with the span of the components."""
        eps = float(self.xp.finfo(components.dtype).eps)
        _, sizes, directions = self.xp.linalg.svd(self.double(components), full_matrices=False)
        kept = int(self.xp.sum(self.xp.astype(sizes > 50 * eps * sizes[0], self.xp.int64)))
        return directions[:kept, :]


def _norm(array: Any) -> float:
    return float(array_namespace(array).linalg.vector_norm(array))
