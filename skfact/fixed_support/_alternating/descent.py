"""Alternating least squares for supports without a closed form, and for missing data."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from skfact._backend import array_namespace, device, move, to_numpy
from skfact._linalg import abs2, adjoint, is_complex, limited, norm2, thin_qr
from skfact._stopping import Stopping
from skfact.fixed_support._alternating.elimination import eliminated_start
from skfact.fixed_support._alternating.half_step import HalfStep
from skfact.fixed_support._alternating.nonnegative import NonnegativeHalfStep
from skfact.fixed_support._problem import Problem
from skfact.fixed_support._supports.rank_one import RankOneSupport
from skfact.fixed_support._tractable.closure import Cover
from skfact.fixed_support._tractable.exact import batch_places, fit_pieces
from skfact.fixed_support._tractable.flat_factor import (
    FlatFactor,
    dense_factor,
    factor_product,
    with_fixed_phases,
)
from skfact.fixed_support._tractable.grids import batches, gather
from skfact.fixed_support._tractable.report import SupportReport

# A component beyond this many norms of A cancels against others; it is called diverging if it still
# grows, or is far beyond, and the loss is not zero.
LARGE, FAR, GROWTH = 3.0, 30.0, 1.05
# Relative size of the random part of the first start.
PERTURBATION = 1e-2
# Power steps towards the singular vectors that the other part of it starts from.
POWER_STEPS = 2


class Runs(NamedTuple):
    """How often alternating least squares starts, and when a run ends."""

    random: np.random.RandomState  # draws the starts after the first
    max_iter: int = 200
    tol: float = 1e-4
    n_init: int = 1
    on_sweep: Callable[[int, int, float], Any] | None = None  # (run, sweep, loss); True ends it

    def stopping(self, run: int) -> Stopping:
        """When the run of that number ends."""
        told = None if self.on_sweep is None else partial(self.on_sweep, run)
        return Stopping(self.max_iter, self.tol, told)


class Run(NamedTuple):
    """One start followed to its end."""

    x: Any
    y: Any
    losses: np.ndarray  # (n_iter + 1,)
    converged: bool
    diverging: np.ndarray  # components whose factors grow without end


def alternating_factors(problem: Problem, runs: Runs) -> Run:
    """The best of some runs; the first one starts from the tractable relaxation or elimination."""
    A, report = problem.A, problem.report
    solve_left, solve_right = half_steps(problem)
    best: Run | None = None
    for number in range(runs.n_init):
        random = runs.random if number else np.random.RandomState(0)  # the first is always the same
        noise = random_start(A, report, random)
        starts = [noise] if number else first_starts(problem, noise, solve_right, random)
        starts = [with_allowed_signs(x, problem, solve_right) for x in starts]
        run = descend(problem, starts, solve_left, solve_right, runs.stopping(number))
        if best is None or run.losses[-1] < best.losses[-1]:
            best = run
    assert best is not None
    return best


def half_steps(problem: Problem) -> tuple[HalfStep, HalfStep]:
    """Those for the left factor, with everything transposed, and for the right one."""
    report, weights = problem.report, problem.weights
    left, right, classes = report.left_support, report.right_support, report.classes
    transposed = [RankOneSupport(s.columns, s.rows, s.components) for s in classes]
    kinds = [NonnegativeHalfStep if signed else HalfStep for signed in problem.nonnegative]
    A = problem.A if weights is None else problem.A * weights
    flip = array_namespace(A).matrix_transpose
    flipped = None if weights is None else flip(weights)
    solve_left = kinds[0](flip(A), right.T, left.T, transposed, problem.alpha, flipped)
    return solve_left, kinds[1](A, left, right, classes, problem.alpha, weights)


def descend(
    problem: Problem,
    starts: list[Any],
    solve_left: HalfStep,
    solve_right: HalfStep,
    stopping: Stopping,
) -> Run:
    """Sweeps until the loss hardly falls any more, from the start with the best right factor."""
    A, alpha = problem.A, problem.alpha
    xp = array_namespace(A)
    whole = problem.norm2(A)
    floor = 10 * float(xp.finfo(A.dtype).eps) * whole
    zero = xp.zeros((solve_right.solved.nnz,), dtype=A.dtype, device=device(A))

    def loss_of(x: Any, part: float) -> float:
        return max(whole + part + (alpha * norm2(x) if alpha else 0.0), 0.0)

    found = [(x, *solve_right(x, zero)) for x in starts]
    x, y, part = min(found, key=lambda start: loss_of(start[0], start[2]))
    losses, sizes, converged = [loss_of(x, part)], [], False
    for sweep in range(1, stopping.max_iter + 1):
        x, _ = solve_left(y, x)
        x, y, size = with_equal_norms(x, y, solve_left, solve_right)
        y, part = solve_right(x, y)
        losses.append(loss_of(x, part))
        sizes.append(size)
        stop = stopping.told(sweep, losses[-1])
        converged = stopping.is_slow(losses) or losses[-1] <= floor
        if converged or stop:
            break
    diverging = np.empty(0, dtype=np.intp)
    if not alpha and losses[-1] > floor:
        diverging = diverging_components(np.array(sizes), whole**0.5)
    return Run(x, y, np.array(losses), converged, diverging)


def first_starts(
    problem: Problem, noise: Any, solve_right: HalfStep, random: np.random.RandomState
) -> list[Any]:
    """Left factors from the tractable relaxation and, where a class owns entries, by elimination.

    Raises FloatingPointError if one is not finite.
    """
    A, report = problem.A, problem.report
    # some BLAS raise the invalid flag over finite float32 operands: the result is looked at instead
    with np.errstate(invalid="ignore"):
        relaxed = relaxed_start(A, report, random)
        eliminated = eliminated_start(A, report, problem.weights)
    found = [relaxed] if eliminated is None else [relaxed, eliminated]
    if not all(math.isfinite(norm2(start)) for start in found):
        raise FloatingPointError("A start of alternating least squares is not finite.")
    return [perturbed(relaxed, noise), *(filled(start, noise, solve_right) for start in found[1:])]


def with_allowed_signs(x: Any, problem: Problem, solve_right: HalfStep) -> Any:
    """A left factor that signs of the problem allow, and under which some right factor fits.

    What is positive of one that may not be negative, or the magnitudes of a component of which
    nothing is. The components of another one are turned towards what they correlate with.
    """
    xp, (is_left, is_right) = array_namespace(x), problem.nonnegative
    if is_left:
        found = limited(x, 0.0)
        is_gone = solve_right.component_norms(found) == 0
        return found + solve_right.scale_components(xp.abs(x), xp.astype(is_gone, x.dtype))
    if not is_right:
        return x
    towards = xp.sum(dense_factor(solve_right.solved, solve_right.correlate(x)), axis=1)
    one = xp.ones_like(towards)
    return solve_right.scale_components(x, xp.where(towards < 0, -one, one))


def with_equal_norms(
    x: Any, y: Any, solve_left: HalfStep, solve_right: HalfStep
) -> tuple[Any, Any, np.ndarray]:
    """Equal norms for the two factors of each component; and the norm of their product."""
    xp = array_namespace(x)
    in_left, in_right = solve_right.component_norms(x), solve_left.component_norms(y)
    size = in_left * in_right
    one = xp.ones_like(size)
    root = xp.sqrt(xp.where(size > 0, in_right, one) / xp.where(size > 0, in_left, one))
    x = solve_right.scale_components(x, root)
    y = solve_left.scale_components(y, 1 / root)
    return x, y, to_numpy(size).astype(float)


def diverging_components(sizes: np.ndarray, norm: float) -> np.ndarray:
    """Components that cancel and grow, from their norms (n_iter, r) and that of A."""
    last, middle = sizes[-1], sizes[len(sizes) // 2]
    grows = (last > GROWTH * middle) | (last > FAR * norm)
    return np.flatnonzero((last > LARGE * norm) & grows)


def relaxed_start(A: Any, report: SupportReport, random: np.random.RandomState) -> Any:
    """Left factor from the tractable relaxation.

    Classes that are pairwise disjoint, those with much of A first, are fitted exactly; the others
    take about the leading left singular vectors of what these leave on their rectangles. The first
    least-squares step for the right factor then fits no worse than the disjoint classes alone.
    """
    xp = array_namespace(A)
    chosen, others = disjoint_classes(A, report)
    left, right = FlatFactor(report.left_support), FlatFactor(report.right_support)
    fit_pieces(A, batches(chosen), left, right, 0.0)
    x, y = left.vector(A), right.vector(A)
    if others:
        rest = A - factor_product(report.left_support, x, report.right_support, y)
        unit = float(xp.linalg.vector_norm(A)) ** 0.5
        for batch in batches(others):
            places, _ = batch_places(batch, left, right)
            for part, blocks in gather(rest, batch):
                u = leading_vectors(blocks, batch.components.shape[1], random)
                left.put(places[part], xp.matrix_transpose(unit * u))
        x = left.vector(A)
    return with_fixed_phases(x, y, report)[0]


def leading_vectors(blocks: Any, rank: int, random: np.random.RandomState) -> Any:
    """About the leading left singular vectors (n_blocks, a, rank), by a few power steps."""
    xp = array_namespace(blocks)
    n_blocks, a, b = blocks.shape
    start = random.standard_normal((n_blocks, b, min(rank, a, b)))
    u = blocks @ xp.astype(move(start, xp, device(blocks)), blocks.dtype)
    for _ in range(POWER_STEPS):
        u = blocks @ (adjoint(blocks) @ thin_qr(u)[0])
    u = thin_qr(u)[0]
    pad = xp.zeros((n_blocks, a, rank - u.shape[2]), dtype=u.dtype, device=device(u))
    return xp.concat([u, pad], axis=2)


def perturbed(start: Any, noise: Any) -> Any:
    """A start slightly moved: that of a symmetric problem may be a saddle point, or have zeros."""
    norm = array_namespace(start).linalg.vector_norm
    found = float(norm(start))
    return start + (PERTURBATION * found / float(norm(noise)) * noise if found > 0 else noise)


def filled(start: Any, noise: Any, solve_right: HalfStep) -> Any:
    """A start whose components are not zero: least squares would leave those that are."""
    norms = solve_right.component_norms(start)
    return start + solve_right.scale_components(
        noise, array_namespace(start).astype(norms == 0, norms.dtype)
    )


def disjoint_classes(
    A: Any, report: SupportReport
) -> tuple[list[RankOneSupport], list[RankOneSupport]]:
    """Classes that meet none of the chosen ones, in the order of the norm of A there; the others.

    Complete classes come last: they can fit what the others leave.
    """
    xp = array_namespace(A)
    energy: dict[int, float] = {}  # first component of a class -> squared norm of A there
    for batch in report.class_batches:
        for part, blocks in gather(A, batch):
            norms = to_numpy(xp.sum(abs2(blocks), axis=(1, 2)))
            energy.update(zip(batch.components[part, 0].tolist(), norms.tolist(), strict=True))
    order = sorted(report.classes, key=lambda s: (s.is_complete, -energy[int(s.components[0])]))
    cover, chosen, others = Cover(report.shape), [], []
    for support in order:
        if len(cover.within(support.rows, support.columns)[0]):
            others.append(support)
        else:
            chosen.append(support)
            cover.add(support.rows, support.columns)
    return chosen, others


def random_start(A: Any, report: SupportReport, random: np.random.RandomState) -> Any:
    """Left factor with normal entries, of the magnitude that a balanced one has."""
    xp = array_namespace(A)
    size = int(report.left_support.nnz)
    values: np.ndarray = random.standard_normal(size)
    if is_complex(A):
        values = values + 1j * random.standard_normal(size)
    unit = (float(xp.linalg.vector_norm(A)) or 1.0) ** 0.5 / max(size, 1) ** 0.5
    return xp.astype(move(unit * values, xp, device(A)), A.dtype)
