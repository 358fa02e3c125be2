"""Kernels of relaxation: every room gives what the naive twins give."""

import numpy as np
import pytest
from scipy.sparse import csr_array

import numopt
from numopt import _array, _kernels
from numopt.gallery import finite_elements, laplacian_2d
from numopt.relax._plan import plan_of
from numopt.relax._problem import matrix
from tests.kernels import cuda_host
from tests.oracles import relax as oracle

MATRICES = {
    "one row": lambda rng: np.array([[2.0]]),
    "diagonal": lambda rng: np.diag(rng.random(5) + 1),
    "grid": lambda rng: laplacian_2d(6).toarray(),
    "wide rows": lambda rng: oracle.random_spd(rng, 40, 0.4),
    "uneven rows": lambda rng: oracle.random_spd(rng, 50, 0.06),
    "arrow": lambda rng: np.diag(np.full(30, 40.0)) + np.pad(np.zeros((29, 29)), (0, 1), constant_values=1.0),
    "nine points": lambda rng: next(iter(finite_elements("anisotropic", 1, m=7)))[1].toarray(),
    "unsymmetric": lambda rng: oracle.random_spd(rng, 30, 0.2, unsymmetric=True),
}
each_matrix = pytest.mark.parametrize("name", MATRICES)
each_ordering = pytest.mark.parametrize("ordering", ["natural", "colour", "given"])


class Case:
    """A matrix, its system in a backend, and the dense matrix in the order of the sweep."""

    def __init__(self, xp, name, ordering="natural"):
        rng = np.random.default_rng(1)
        A = MATRICES[name](rng)
        n = len(A)
        self.rows = matrix(csr_array(A) if xp.name in ("numpy", "readonly") else xp.asarray(A))
        self.plan = plan_of(self.rows, rng.permutation(n) if ordering == "given" else ordering)
        self.system, self.facts = self.plan.system(self.rows.data)
        order = xp.to_numpy(self.plan._order).astype(int)
        self.A, self.xp, self.order = A[np.ix_(order, order)], xp, order
        self.b, self.x = rng.standard_normal(n), rng.standard_normal(n)
        self.rhs = xp.asarray(self.b / np.diag(self.A))

    def vector(self, x):
        """Return a fresh array that kernels may write to."""
        return _array.copied(self.xp.asarray(x))

    def rooms(self):
        xp = self.xp.xp
        found = [_kernels._table("relax", room) for room in dict.fromkeys(("portable", _kernels._room(xp)))]
        return found + cuda_host.rooms("relax", self.xp)

    def low_and_up(self, x):
        d = np.diag(self.A)
        return np.tril(self.A, -1) @ x / d, np.triu(self.A, 1) @ x / d


def close(xp, found, wanted, tolerance=1e-13):
    scale = max(1.0, np.abs(wanted).max())
    np.testing.assert_allclose(xp.to_numpy(found), wanted, rtol=0, atol=tolerance * scale)


@each_matrix
@each_ordering
def test_residual_and_products(xp, name, ordering):
    case = Case(xp, name, ordering)
    at, x = np.empty(len(case.b)), np.empty(len(case.b))
    at[case.order], x[case.order] = case.b, case.x  # in the caller's order
    for k in case.rooms():
        r = k.residual(case.rows.data, case.rows.indices, case.rows.indptr, case.vector(x), case.vector(at))
        close(xp, np.sqrt(_array.host(r)), np.linalg.norm(case.b - case.A @ case.x))
        for found, wanted in zip(k.products(case.system, case.vector(case.x)), case.low_and_up(case.x), strict=True):
            close(xp, found, wanted)


@each_matrix
@each_ordering
@pytest.mark.parametrize("omega", [0.7, 1.9])
def test_sweeps_are_the_formula_and_tell_the_residual(xp, name, ordering, omega):
    case = Case(xp, name, ordering)
    for k in case.rooms():
        x, wanted, squares = case.vector(case.x), case.x, np.empty(3)
        low = case.vector(case.low_and_up(case.x)[0])
        steps, last = k.sor(case.system, case.rhs, x, low, omega, 0.0, 3, squares)
        for square in squares:
            r = np.linalg.norm(case.b - case.A @ wanted)
            assert abs(np.sqrt(square) - r) <= 1e-12 * np.linalg.norm(case.b) + 1e-13 * r
            wanted = oracle.sor_step(case.A, case.b, wanted, omega)
        assert steps == 3 and last == squares[2]
        close(xp, x, wanted, 1e-12)
        close(xp, low, case.low_and_up(wanted)[0], 1e-12)


@each_matrix
@pytest.mark.parametrize("omega", [0.7, 1.5])
def test_double_sweeps_are_the_formula_and_tell_the_residual(xp, name, omega):
    case = Case(xp, name)
    for k in case.rooms():
        x, wanted, squares = case.vector(case.x), case.x, np.empty(3)
        half, low = case.vector(0 * case.x), case.vector(0 * case.x)
        up = case.vector(case.low_and_up(case.x)[1])
        k.ssor(case.system, case.rhs, x, half, low, up, omega, 0.0, 3, squares)
        for square in squares:
            r = np.linalg.norm(case.b - case.A @ wanted)
            assert abs(np.sqrt(square) - r) <= 1e-12 * np.linalg.norm(case.b) + 1e-13 * r
            wanted = oracle.ssor_step(case.A, case.b, wanted, omega)
        close(xp, x, wanted, 1e-12)


def test_sweeps_stop_when_the_residual_is_small_or_grows(xp):
    case = Case(xp, "grid")
    exact = np.linalg.solve(case.A, case.b)
    for k in case.rooms():
        x, low, squares = case.vector(exact), case.vector(case.low_and_up(exact)[0]), np.empty(9)
        assert k.sor(case.system, case.rhs, x, low, 1.0, 1e-20, 9, squares)[0] == 1
        zero, squares = case.vector(0 * exact), np.empty(5000)
        steps, last = k.sor(case.system, case.rhs, zero, case.vector(0 * exact), 3.0, 0.0, 5000, squares)
        assert steps < 100 and 1e16 * squares[0] < last < 1e40


@pytest.mark.parametrize("name", [name for name in MATRICES if name != "unsymmetric"])
@pytest.mark.parametrize("omega", [0.8, 1.9])
def test_conjugate_gradients_are_those_with_the_explicit_preconditioner(xp, name, omega):
    case = Case(xp, name)
    n = len(case.b)
    wanted, count = oracle.pcg(case.A, case.b, case.x, oracle.ssor_matrix(case.A, omega), 1e-8)
    for k in case.rooms():
        for budget in (100, 1):  # all in one call, and in one call for each step
            x, g, y, p, t = case.vector(case.x), *(case.vector(0 * case.x) for _ in range(4))
            first = k.pcg_start(case.system, case.rhs, x, omega, g)
            close(xp, np.sqrt(_array.host(first)), np.linalg.norm(case.b - case.A @ case.x))
            carry, total, target = np.zeros(3), 0, 1e-16 * (case.b @ case.b)
            while total < 100:
                squares, coefficients = np.empty(budget + 1), np.empty((budget, 2))
                steps, last = k.pcg(
                    case.system, x, g, y, p, t, carry, omega, target, budget, squares, coefficients
                )
                total += steps
                r = np.linalg.norm(case.b - case.A @ xp.to_numpy(x))
                assert abs(np.sqrt(last) - r) <= 1e-10 * np.linalg.norm(case.b)
                if last <= target:
                    break
            assert abs(total - count) <= 1 + count // 50
            close(xp, x, wanted, 1e-6)
            moved = xp.to_numpy(x) - case.x
            assert abs(carry[2] - moved @ case.A @ moved) <= 1e-8 * carry[2]
    assert n < 60 or count <= n + 3


def test_no_positive_curvature_shows(xp):
    case = Case(xp, "grid")
    d = case.system.diagonal
    for k in case.rooms():
        bad = case.system._replace(lower=case.system.lower._replace(values=4 * case.system.lower.values),
                                   upper=case.system.upper._replace(values=4 * case.system.upper.values))  # fmt: skip
        x, g, y, p, t = (case.vector(0 * case.x) for _ in range(5))
        k.pcg_start(bad, case.rhs, x, 1.0, g)
        carry = np.zeros(3)
        k.pcg(bad, x, g, y, p, t, carry, 1.0, 0.0, 200, np.empty(201), np.empty((200, 2)))
        assert np.isnan(carry[0]) and np.isfinite(xp.to_numpy(x)).all() and d.shape == x.shape


@each_matrix
def test_levels_and_colours_separate_neighbours(name):
    A = MATRICES[name](np.random.default_rng(1))
    both = csr_array(((A != 0) | (A.T != 0)).astype(float))
    for room in "portable", "cpu":
        k = _kernels._table("relax", room)
        level, colour = (np.asarray(f(both.indices, both.indptr)) for f in (k.levels, k.colours))
        i, j = np.nonzero((A != 0) | (A.T != 0))
        assert (level[i[i > j]] > level[j[i > j]]).all()
        assert (colour[i[i != j]] != colour[j[i != j]]).all()
        assert level.min() == colour.min() == 0 and colour.max() <= np.diff(both.indptr).max()


def test_asymmetry_is_measured(xp):
    case = Case(xp, "unsymmetric")
    d = np.sqrt(np.diag(case.A))
    assert abs(np.sqrt(_array.host(case.facts[0])) - (np.abs(case.A - case.A.T) / d / d[:, None]).max()) < 1e-12
    assert _array.host(Case(xp, "wide rows").facts[0]) == 0


def test_quotients(xp):
    case = Case(xp, "wide rows")
    for k in case.rooms():
        d = np.diag(case.A)
        found = k.quotients(case.system.diagonal, case.rhs, case.vector(case.x), case.vector(case.b))
        wanted = d @ case.x**2, case.x @ case.b, d @ (case.x - case.b) ** 2
        np.testing.assert_allclose([_array.host(v) for v in found], wanted, rtol=1e-13)


def test_right_sides_and_patterns(xp):
    case = Case(xp, "uneven rows", "given")
    b = np.empty(len(case.b))
    b[case.order] = case.b
    for k in case.rooms():
        rhs, square = k.right_side(case.plan._order, case.system.diagonal, case.vector(b))
        close(xp, rhs, case.b / np.diag(case.A))
        assert abs(_array.host(square) - b @ b) < 1e-13 * (b @ b)
        indices = case.rows.indices
        assert k.same(indices, _array.copied(indices)) and not k.same(indices, indices[1:])
        changed = _array.copied(indices)
        changed[-1] += 1
        assert not k.same(indices, changed)


def test_wide_levels_give_the_same_for_any_number_of_threads():
    A = laplacian_2d(140)  # two colours of 9800 rows
    b = np.random.default_rng(0).standard_normal(A.shape[0])
    plan = plan_of(A, "colour")
    s, _ = plan.system(A.data)
    found = []
    for count, room in (1, "cpu"), (2, "cpu"), (1, "portable"):
        x, low, squares = np.zeros(b.size), np.zeros(b.size), np.empty(5)
        with numopt.threads(count):
            _kernels._table("relax", room).sor(s, b / 4, x, low, 1.8, 0.0, 5, squares)
        found.append((x, low, squares))
    for one, other, plain in zip(*found, strict=True):
        assert (one == other).all()
        np.testing.assert_allclose(one, plain, rtol=1e-12, atol=1e-12)
    assert _kernels._table("relax", "cpu").sor(s, b / 4, x, low, 1.8, np.inf, 5, squares)[0] == 1
