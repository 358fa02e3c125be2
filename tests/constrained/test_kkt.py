"""KKT systems: inertia against eigenvalues, solutions against dense ones, derivatives checked."""

import numpy as np
import pytest
import scipy.optimize as so
import scipy.sparse as sp

import numopt
from numopt.constrained import KKTSolver, check_derivatives
from numopt.exceptions import InvalidInputError


def _system(seed, n=30, m=12, indefinite=True):
    rng = np.random.default_rng(seed)
    H = sp.random_array((n, n), density=0.1, rng=rng)
    H = sp.csr_array(
        H + H.T + sp.diags_array(rng.standard_normal(n) * (3 if indefinite else 0) + (0 if indefinite else 8))
    )
    G = sp.csr_array(sp.random_array((m, n), density=0.15, rng=rng) + sp.eye_array(m, n))
    return H, G


@pytest.mark.parametrize("solver", ["ldl", "sparse-ldl"])
@pytest.mark.parametrize("seed", range(25))
def test_inertia_is_that_of_the_eigenvalues(seed, solver):
    H, G = _system(seed, indefinite=seed % 2 == 0)
    kkt = KKTSolver(solver).factor(H, G)
    K = np.block([[H.toarray(), G.toarray().T], [G.toarray(), np.zeros((12, 12))]])
    values = np.linalg.eigvalsh(K)
    assert kkt.inertia == ((values > 0).sum(), (values < 0).sum(), 0)
    rhs = np.random.default_rng(seed).standard_normal(42)
    np.testing.assert_allclose(
        kkt.solve(rhs), np.linalg.solve(K, rhs), rtol=0, atol=1e-7 * abs(rhs).max() * np.linalg.cond(K) ** 0.5
    )


def test_dependent_rows_are_zeros():
    G = np.array([[1.0, 1.0, 0.0], [2.0, 2.0, 0.0]])
    assert KKTSolver().factor(np.eye(3), G).inertia[2] == 1
    assert KKTSolver().factor(np.eye(3), G, delta=1e-6).inertia == (3, 2, 0)


def test_one_pattern_is_analysed_once():
    H, G = _system(1, 400, 150, indefinite=False)
    kkt = KKTSolver("sparse-ldl").factor(H, G)
    order = kkt._kkt.inner.order
    first = kkt.solve(np.ones(550))
    kkt.factor(2.0 * H, G)
    assert kkt._kkt.inner.order is order
    kkt.factor(H, G)
    np.testing.assert_array_equal(kkt.solve(np.ones(550)), first)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_dtypes_and_the_plain_kernels(kind):
    H, G = _system(3, indefinite=False)
    for A, B in ((H.toarray(), G.toarray()), (H, G)):
        solver = "ldl" if isinstance(A, np.ndarray) else "sparse-ldl"
        rhs = np.ones(42, kind)
        fast = KKTSolver(solver).factor(A.astype(kind), B.astype(kind))
        with numopt.use_kernels("portable"):
            plain = KKTSolver(solver).factor(A.astype(kind), B.astype(kind))
            x = plain.solve(rhs)
        assert x.dtype == fast.solve(rhs).dtype == kind and plain.inertia == fast.inertia
        np.testing.assert_allclose(fast.solve(rhs), x, atol=1e-3 if kind is np.float32 else 1e-10)


def test_the_choice_follows_from_sizes():
    small, large = _system(0), _system(0, 500, 200, indefinite=False)
    solver = KKTSolver().factor(*small)
    assert solver._kkt.name == "ldl"
    assert KKTSolver().factor(*large)._kkt.name == "sparse-ldl"
    assert KKTSolver().factor(large[0].toarray(), large[1].toarray())._kkt.name == "ldl"


def test_derivatives_right_and_wrong():
    c = so.NonlinearConstraint(lambda x: [x @ x, x[0] ** 3], 0, 1, jac=lambda x: np.array([2 * x, [3 * x[0] ** 2, 0]]),
                               hess=lambda x, v: 2 * v[0] * np.eye(2) + v[1] * np.diag([6 * x[0], 0]))  # fmt: skip
    errors = check_derivatives(so.rosen, [1.0, 2.0], jac=so.rosen_der, hess=so.rosen_hess, constraints=c)
    assert set(errors) == {"jac", "hess", "constraints[0].jac", "constraints[0].hess"}
    assert max(errors.values()) < 1e-5
    wrong = so.NonlinearConstraint(lambda x: x @ x, 0, 1, jac=lambda x: 3 * x[None], hess=lambda x, v: v[0] * np.eye(2))
    errors = check_derivatives(so.rosen, [1.0, 2.0], jac=so.rosen_der, hessp=so.rosen_hess_prod, constraints=[wrong])
    assert errors["constraints[0].jac"] > 0.1 and errors["constraints[0].hess"] > 0.1 and errors["hessp"] < 1e-5


def test_multipliers_outlive_the_factors():
    """A step lies in the memory of the factors: what is kept of it must be a copy."""
    from types import SimpleNamespace

    from numopt.constrained._kkt import KKT
    from numopt.constrained._slacks import least_squares_multipliers

    J, g = np.array([[1.0, 2.0, 0.0], [0.0, 1.0, 1.0]]), np.array([1.0, -1.0, 2.0])
    space = SimpleNamespace(zeros=np.zeros)
    p = SimpleNamespace(xp=np, space=space, m=2, null_hessian=lambda J: np.zeros((3, 3)))
    kkt = KKT(np)
    lam = least_squares_multipliers(p, kkt, SimpleNamespace(g=g, J=J))
    kkt.newton(np.eye(3), 2 * J, 5 * g, np.ones(2))
    np.testing.assert_allclose(lam, np.linalg.lstsq(J.T, -g)[0], rtol=1e-12)


@pytest.mark.parametrize("solver", ["ldl", "sparse-ldl"])
def test_a_singular_matrix_is_refused_and_not_solved(solver):
    G = np.array([[1.0, 1.0, 0.0], [2.0, 2.0, 0.0]])
    kkt = KKTSolver(solver).factor(np.eye(3), G)
    with pytest.raises(InvalidInputError, match="the matrix is singular to rounding"):
        kkt.solve([0.0, 0, 0, 1, 1])
    regular = KKTSolver(solver).factor(np.eye(3), G, delta=1e-6).solve([0.0, 0, 0, 1, 1])
    assert np.isfinite(regular).all()


def test_one_solver_takes_systems_of_all_sizes_and_none_of_equations():
    kkt = KKTSolver()
    for n, m in ((3, 1), (500, 200), (4, 0), (3, 2)):
        H, G = sp.diags_array(np.arange(1.0, n + 1)), sp.csr_array((np.ones(m), (np.arange(m), np.arange(m))), (m, n))
        K = np.block([[H.toarray(), G.toarray().T], [G.toarray(), np.zeros((m, m))]])
        rhs = np.arange(n + m) % 7 - 3.0
        np.testing.assert_allclose(kkt.factor(H, G).solve(rhs.tolist()), np.linalg.solve(K, rhs), atol=1e-8)
        assert kkt.inertia == (n, m, 0) and kkt._kkt.name == ("sparse-ldl" if n == 500 else "ldl")


def test_what_is_not_finite_is_no_right_derivative():
    assert check_derivatives(so.rosen, [1.0, 2.0], jac=lambda x: np.nan * x)["jac"] == np.inf
    nan = so.NonlinearConstraint(lambda x: x @ x, 0, 1, jac=lambda x: 2 * x, hess=lambda x, v: np.full((2, 2), np.nan))
    errors = check_derivatives(so.rosen, [1.0, 2.0], jac=so.rosen_der, constraints=nan)
    assert errors["constraints[0].hess"] == np.inf and errors["jac"] < 1e-6
