"""Sketch and precondition: few products where the Hessian is ill-conditioned, the same minimum, any library."""

import numpy as np
import pytest
from scipy.optimize import LinearConstraint

from numopt import Status
from numopt._array import host
from numopt.constrained import minimize_constrained, sketched_preconditioner
from numopt.constrained._sketched_hessian import _sketched
from numopt.exceptions import InvalidInputError, InvalidTypeError


def _problem(N=2000, n=20, xp=np):
    """Regression with a condition number of 1e10 in the Hessian and two equations."""
    rng = np.random.default_rng(0)
    B = rng.standard_normal((N, n)) * np.geomspace(1e-5, 1, n)
    A, y = rng.standard_normal((2, n)), rng.standard_normal(N)
    B, A, y = (xp.asarray(a) for a in (B, A, y))
    keywords = {"jac": lambda x: B.T @ (B @ x - y) + 1e-6 * x, "constraints": LinearConstraint(np.asarray(A), 1, 1)}
    return lambda x: ((B @ x - y) @ (B @ x - y) + 1e-6 * (x @ x)) / 2, xp.zeros(n), keywords, B, A


@pytest.mark.parametrize(("library", "n"), [("numpy", 20), ("array_api_strict", 6)])
def test_few_products_reach_the_minimum(library, n):
    xp = pytest.importorskip(library)
    f, x0, keywords, B, A = _problem(100 * n, n, xp=xp)
    eye = xp.eye(n)
    exact = minimize_constrained(f, x0, hess=lambda x: B.T @ B + 1e-6 * eye, **keywords)
    keywords |= {"hessp": lambda x, p: B.T @ (B @ p) + 1e-6 * p, "linear_solver": "pcg", "on_failure": "ignore"}
    M = sketched_preconditioner(lambda x: B, lambda x: A, ridge=1e-6, rng=0)
    res = minimize_constrained(f, x0, **keywords, options={"preconditioner": M})
    assert res.success and res.linear_solver == "pcg"
    assert abs(host(res.fun) - exact.fun) <= 1e-7 * abs(exact.fun)
    if xp is np:
        plain = minimize_constrained(f, x0, **keywords)
        assert 3 * res.nhev < plain.nhev


def test_a_sketch_with_a_sum_for_each_row_is_exact():
    B = np.random.default_rng(1).standard_normal((12, 3))
    S = _sketched(B, np.where(np.arange(12) % 3, 1.0, -1.0), 12)
    np.testing.assert_allclose(S.T @ S, B.T @ B, atol=1e-12)
    np.testing.assert_allclose(_sketched(B, np.ones(12), 5), [B[i::5].sum(axis=0) for i in range(5)], atol=1e-12)


def test_bad_arguments():
    with pytest.raises(InvalidInputError, match="oversampling is 0"):
        sketched_preconditioner(lambda x: x, lambda x: x, oversampling=0)
    with pytest.raises(InvalidInputError, match="ridge is -1"):
        sketched_preconditioner(lambda x: x, lambda x: x, ridge=-1.0)
    with pytest.raises(InvalidInputError, match=r"root returned ndarray of shape \(3, 2\)"):
        sketched_preconditioner(lambda x: np.ones((3, 2)), lambda x: np.ones((1, 4)))(np.ones(4), np.ones(1))
    with pytest.raises(InvalidTypeError, match="root returned dtype complex128"):
        sketched_preconditioner(lambda x: 1j * np.ones((3, 4)), lambda x: np.ones((1, 4)))(np.ones(4), np.ones(1))


@pytest.mark.parametrize(("scale", "row"), [(0, 1.0), (1, 0.0)])
def test_a_singular_preconditioner_says_so(scale, row):
    B = np.random.default_rng(0).standard_normal((50, 3))
    M = sketched_preconditioner(lambda x: scale * B, lambda x: row * np.ones((1, 3)), rng=0)
    res = minimize_constrained(
        lambda x: (B @ x) @ (B @ x), np.ones(3), jac=lambda x: 2 * B.T @ (B @ x), hessp=lambda x, p: 2 * B.T @ (B @ p),
        constraints=LinearConstraint(np.ones((1, 3)), 1, 1), linear_solver="pcg", options={"preconditioner": M},
        on_failure="ignore")  # fmt: skip
    assert res.status == Status.BREAKDOWN and "pass ridge" in res.message and not res.success


def test_a_root_of_integers_or_short_floats_will_do():
    M = sketched_preconditioner(lambda x: np.eye(3, dtype=np.float16), lambda x: np.ones((1, 3), int), rng=0)
    assert np.isfinite(M(np.ones(3), np.ones(1)).matvec(np.ones(4))).all()
