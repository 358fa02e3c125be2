"""The paper's method, its merit function and its figures; sketch and project."""

from itertools import pairwise

import numpy as np
import pytest

from numopt.constrained import minimize_constrained, sketch_solve
from numopt.constrained._adasketch import _merit_slopes
from numopt.constrained._sketch import KINDS, Sketcher
from numopt.exceptions import ConvergenceWarning, InvalidInputError
from numopt.gallery import pde_control
from tests.constrained.problems import EQUALITY, constraint, solve


def test_the_pde_of_the_paper():
    p = pde_control(3)
    with pytest.warns(ConvergenceWarning, match="spent its 100000 sketches"):
        res = minimize_constrained(p.fun, p.x0, **p.keywords, method="adasketch", tol=1e-4, rng=0)
    assert res.success and res.nit == 3 and res.kkt_error <= 1e-5
    assert res.inner_capped == 3 and res.n_sketch == 300_000 and res.linear_solver == "kaczmarz"
    assert res.fun == pytest.approx(9.6444421, abs=1e-5)


def test_the_cap_of_inner_solves():
    p = pde_control(3)
    options = {"max_sketches": 1000}
    with pytest.warns(ConvergenceWarning, match="spent its 1000 sketches"):
        res = minimize_constrained(p.fun, p.x0, **p.keywords, method="adasketch", tol=1e-4, rng=0, options=options)
    assert res.success and res.inner_capped == res.nit and res.n_sketch == 1000 * res.nit
    with pytest.raises(InvalidInputError, match="max_sketches is 0"):
        minimize_constrained(p.fun, p.x0, **p.keywords, method="adasketch", options={"max_sketches": 0})


@pytest.mark.filterwarnings("ignore:an inner solve")
@pytest.mark.parametrize("kind", KINDS)
def test_it_solves_classics(kind):
    for name in ("HS28", "HS48", "BT-like"):
        f, c, x0, value = EQUALITY.get(name, (lambda x: (x**4).sum(), lambda x: [x.sum() - 3], [1, 2, 3], 3))
        res = solve(f, x0, c, method="adasketch", linear_solver=kind, tol=1e-6, rng=1)
        assert res.success and abs(res.fun - value) <= 1e-5
        assert res.linear_solver == kind and res.n_sketch > 0


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:an inner solve")
def test_the_superlinear_variant():
    f, c, x0, _ = EQUALITY["HS77"]
    errors = []
    res = solve(f, x0, c, method="adasketch", linear_solver="block-kaczmarz", tol=1e-9, rng=0,
                options={"superlinear": 0.5}, callback=lambda r: errors.append(r.measure))  # fmt: skip
    assert res.success
    ratios = np.array(errors[1:]) / errors[:-1]
    assert ratios[-1] < ratios[-2] < ratios[-3]


@pytest.mark.parametrize("name", ["HS6", "HS77", "HS79"])
def test_the_slope_of_the_merit_function(name):
    from numopt._array import namespace
    from numopt.constrained._constraints import Objective, read_constraints
    from numopt.constrained._functions import Space
    from numopt.constrained._problem import Problem

    f, c, x0, _ = EQUALITY[name]
    n, space = len(x0), Space(namespace(np.empty(0)), "cpu", np.dtype(float))
    objective = Objective(space, f, "cs", "3-point", None, ())
    blocks = read_constraints(space, constraint(c))
    p = Problem(space, objective, blocks, np.array(x0, float), np.full(n, -np.inf), np.full(n, np.inf), scaled=False)
    rng = np.random.default_rng(0)
    lam, dx, dlam, h = rng.standard_normal(p.m), rng.standard_normal(n), rng.standard_normal(p.m), 1e-5
    point = p.derive(p.start)
    slope = _merit_slopes(p, p.lagrangian_gradient(point, lam), p.hessian(point, lam), point.J, point.c)
    ends = [p.trial(p.start.x + s * h * dx, lam + s * h * dlam).merit(2.0, 0.3) for s in (1, -1)]
    assert slope(dx, dlam, 2.0, 0.3) == pytest.approx((ends[0] - ends[1]) / (2 * h), rel=1e-5)


# sketch and project


def _system(seed=0, n=20, condition=10.0):
    rng = np.random.default_rng(seed)
    Q, _ = np.linalg.qr(rng.standard_normal((n, n)))
    A = Q @ np.diag(np.geomspace(1, condition, n) * np.where(np.arange(n) % 2, 1, -1)) @ Q.T
    return (A + A.T) / 2, rng.standard_normal(n)


@pytest.mark.parametrize("kind", KINDS)
def test_a_well_conditioned_system(kind):
    A, b = _system()
    res = sketch_solve(A, b, kind=kind, tol=1e-10, rng=0)
    assert res.success and np.linalg.norm(A @ res.x - b) <= 1e-10 * np.linalg.norm(b)
    again = sketch_solve(A, b, kind=kind, tol=1e-10, rng=0)
    assert again.x.tobytes() == res.x.tobytes() and again.n_sketch == res.n_sketch


@pytest.mark.parametrize("kind", KINDS)
def test_no_projection_moves_away_from_the_solution(kind):
    A, b = _system(1)
    exact, rng = np.linalg.solve(A, b), np.random.default_rng(0)
    sketcher, before = Sketcher(A, b, kind, rng, 4), np.inf
    for _ in range(50):
        sketcher.batch(1)
        now = np.linalg.norm(sketcher.d - exact)
        assert now <= before + 1e-12
        before = now


def test_a_projection_solves_its_sketched_equations():
    A, b = _system(2)
    rng = np.random.default_rng(5)
    sketcher = Sketcher(A, b, "block-kaczmarz", rng, 6)
    rows = np.sort(np.random.default_rng(5).choice(20, 6, replace=False))
    sketcher.batch(1)
    assert abs((A @ sketcher.d - b)[rows]).max() <= 1e-10


def test_the_cap_is_reported():
    A, b = _system(3, condition=1e8)
    with pytest.warns(ConvergenceWarning):
        res = sketch_solve(A, b, max_sketches=200, rng=0)
    assert res.inner_capped and res.n_sketch == 200 and not res.success
    assert res.residual == pytest.approx(np.linalg.norm(A @ res.x - b) / np.linalg.norm(b))


def test_a_warm_start_and_a_row_of_zeros():
    A, b = _system(4)
    exact = np.linalg.solve(A, b)
    assert sketch_solve(A, b, init=exact, rng=0).nit <= 1
    Z, c = np.zeros((3, 3)), np.zeros(3)
    Z[0, 0], c[0] = 2.0, 4.0
    assert sketch_solve(Z, c, rng=0).x[0] == pytest.approx(2.0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scale", [1e-200, 1e-160, 1e150])
def test_units_do_not_decide_whether_a_system_is_solved(kind, scale):
    """Squares of tiny residuals are zero: they are measured in the unit of b."""
    A, b = _system(5)
    res = sketch_solve(A, scale * b, kind=kind, tol=1e-6, rng=0, on_failure="ignore")
    assert res.success == (np.linalg.norm((A @ res.x) / scale - b) <= 1.0001e-6 * np.linalg.norm(b))


def test_a_right_hand_side_of_zeros():
    A, b = _system(6)
    assert (sketch_solve(A, 0 * b, rng=0).x == 0).all()
    res = sketch_solve(A, 0 * b, init=b, rng=0)
    assert res.success and np.linalg.norm(A @ res.x) <= 1e-8


@pytest.mark.filterwarnings("ignore:an inner solve")
@pytest.mark.parametrize("kind", ["kaczmarz", "block-gaussian"])
@pytest.mark.parametrize("name", ["HS6", "HS7", "HS79"])
def test_every_step_descends_as_the_paper_asks(name, kind):
    """Steps 6 and 7: the slope is at most -eta2 K^2 / 2, and a tenth of what it promises is kept."""
    f, c, x0, _ = EQUALITY[name]
    seen = []
    solve(f, x0, c, method="adasketch", linear_solver=kind, tol=1e-6, rng=0, options={"max_sketches": 20_000},
          max_iter=40, on_failure="ignore", callback=lambda r: seen.append((r.state, r.info)))  # fmt: skip
    assert len(seen) > 3
    for (old, _), (new, info) in pairwise(seen):
        etas = info["eta1"], info["eta2"]
        promised = info["alpha"] * 0.1 * 0.5 * info["eta2"] * (old.gg + old.cc)
        before, after = old.merit(*etas), new.merit(*etas)
        assert after <= before - promised + 1e-14 * max(1.0, abs(before))
