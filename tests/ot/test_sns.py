"""Sinkhorn-Newton-Sparse as published: the iteration counts of the paper's first case, and its limits."""

import numpy as np
import pytest

from numopt import Status, gallery
from numopt.exceptions import ConvergenceWarning
from numopt.ot import sinkhorn_newton
from tests.ot.measure import certified, plan_of, squares, violation


def dual(a, b, C, f, g, reg):
    """Return <a, f> + <b, g> - reg sum P in extended precision: the gap sought is below rounding."""
    f, g, C = (x.astype(np.longdouble) for x in (f, g, C))
    return f @ a + g @ b - reg * np.exp((f[:, None] + (g - C)) / reg).sum()


def steps(a, b, C, reg, **settings):
    """Return the potentials after each iteration."""
    seen = []
    sinkhorn_newton(
        a, b, C, reg=reg, method="sns", on_failure="ignore",
        callback=lambda at: seen.append(tuple(np.array(x) for x in at.state)), **settings,
    )  # fmt: skip
    return seen


@pytest.mark.parametrize("seed", [0, 1])
def test_the_figures_of_the_assignment_case(seed):
    a, b, C = gallery.assignment(500, rng=seed)
    reg = 1 / 1200
    seen = steps(a, b, C, reg, tol=1e-12)
    best = sinkhorn_newton(a, b, C, reg=reg, tol=2e-14)
    top = dual(a, b, C, best.f, best.g, reg)
    gaps = np.array([top - dual(a, b, C, f, g, reg) for f, g in seen[20:32]])
    wrong = np.array([violation(np.exp((f[:, None] + (g - C)) / reg), a, b) for f, g in seen[20:32]])
    assert 8 <= np.argmax(gaps <= 1e-15) + 1 <= 10
    assert wrong.min() <= 1e-12 and len(seen) <= 32
    assert (np.diff(gaps) <= 1e-15).all()  # it never goes down


def test_the_first_stage_is_sinkhorn():
    a, b, C = squares(20, 30)
    seen = steps(a, b, C, 0.05, n_sinkhorn=5, max_iter=5)
    f, g = np.zeros(20), np.zeros(30)
    for mine in seen:
        f = f + 0.05 * (np.log(a) - np.log(np.exp((f[:, None] + g - C) / 0.05).sum(axis=1)))
        g = g + 0.05 * (np.log(b) - np.log(np.exp((f[:, None] + g - C) / 0.05).sum(axis=0)))
        np.testing.assert_allclose(mine[0], f, atol=1e-13)
        np.testing.assert_allclose(mine[1], g, atol=1e-13)


def test_with_all_entries_it_is_newton():
    a, b, C = squares(20, 30)
    result = sinkhorn_newton(a, b, C, reg=0.1, method="sns", density=1e9, tol=1e-13)
    certified(result, a, b, C, 1e-13)
    measures = result.history["measure"][20:]
    assert result.n_newton == result.nit - 20 == len(measures) <= 5
    assert result.nnz == 600


def test_density_counts_entries():
    a, b, C = squares(20, 30)
    result = sinkhorn_newton(a, b, C, reg=0.1, method="sns", density=2.5, on_failure="ignore", max_iter=25)
    assert result.nnz == 75
    assert sinkhorn_newton(a, b, C, reg=0.1, method="sns", max_iter=1, on_failure="ignore").nnz == 120


def test_it_starts_from_a_result():
    a, b, C = squares(20, 30)
    first = sinkhorn_newton(a, b, C, reg=0.02, tol=1e-12)
    again = sinkhorn_newton(a, b, C, reg=0.02, method="sns", init=first)
    assert again.nit == 1 and again.success


def test_points_are_accepted():
    rng = np.random.default_rng(0)
    X, Y, u = rng.random((20, 2)), rng.random((20, 2)), np.full(20, 0.05)
    result = sinkhorn_newton(u, u, X=X, Y=Y, reg=0.01, method="sns")
    certified(result, u, u, ((X[:, None] - Y) ** 2).sum(axis=2))


@pytest.mark.parametrize("reg", [1e-3, 1e-5])
def test_where_it_gives_up_it_says_so_and_nothing_else(reg):
    a, b, C = squares(60, 60, 2)  # 20 sweeps from zero potentials are far from enough, and P underflows
    with pytest.warns(ConvergenceWarning) as caught:
        result = sinkhorn_newton(a, b, C, reg=reg, method="sns", max_iter=40)
    assert {w.category for w in caught} == {ConvergenceWarning}  # no overflow, no log of 0
    assert not result.success and result.status in (Status.STALLED, Status.MAX_ITER, Status.BREAKDOWN)
    assert np.isfinite(result.f).all() and np.isfinite(result.g).all()
    assert violation(plan_of(result, a, b, C), a, b) == pytest.approx(result.marginal_error, rel=1e-6)
