"""Rounding to a feasible plan: exactness, the bound, sparsity, degenerate and bad input."""

import array_api_strict
import numpy as np
import pytest
import scipy.sparse as sp

from numopt.exceptions import InvalidInputError, InvalidTypeError
from numopt.ot import round_plan, sinkhorn_newton, sparse_plan


def almost(n, m, seed, off=0.1, density=1.0):
    """Return a plan and marginals that it misses."""
    rng = np.random.default_rng(seed)
    P = rng.random((n, m)) * (rng.random((n, m)) < density)
    a, b = P.sum(axis=1) * rng.uniform(1 - off, 1 + off, n), P.sum(axis=0) * rng.uniform(1 - off, 1 + off, m)
    return P / P.sum(), a / a.sum(), b / b.sum()


def violation(P, a, b):
    return abs(P.sum(axis=1) - a).sum() + abs(P.sum(axis=0) - b).sum()


@pytest.mark.parametrize("off", [0.5, 1e-3, 1e-8])
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (9, 1), (20, 30)], ids=str)
@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array, sp.coo_matrix, sp.lil_array])
def test_the_result_is_feasible_and_near(kind, shape, off):
    P, a, b = almost(*shape, seed=3, off=off)
    R = round_plan(kind(P), a, b)
    assert sp.issparse(R) == (kind is not np.asarray)
    R = R.toarray() if sp.issparse(R) else R
    assert R.min() >= 0 and violation(R, a, b) < 1e-14
    assert abs(R - P).sum() <= 2 * violation(P, a, b) + 1e-14


def test_a_sparse_plan_stays_sparse():
    P, a, b = almost(50, 60, seed=1, density=0.1)
    b = b + 1e-3
    b /= b.sum()
    R = round_plan(sp.csr_array(P), a, b)
    assert R.nnz <= np.count_nonzero(P) + 110 and violation(R.toarray(), a, b) < 1e-14


def test_a_feasible_plan_is_left_alone():
    P, _, _ = almost(5, 6, seed=0)
    assert round_plan(P, P.sum(axis=1), P.sum(axis=0)) == pytest.approx(P, abs=1e-16)


def test_nothing_becomes_the_product_of_the_marginals():
    a, b = np.array([0.25, 0.75]), np.array([0.5, 0.2, 0.3])
    assert round_plan(np.zeros((2, 3)), a, b) == pytest.approx(np.outer(a, b), abs=1e-16)
    empty = round_plan(sp.csr_array((2, 3)), a, b)
    assert empty.nnz <= 4 and violation(empty.toarray(), a, b) < 1e-15


def test_weights_of_zero_empty_their_rows():
    P, a, b = almost(6, 7, seed=2)
    a[2], b[3] = 0, 0
    a, b = a / a.sum(), b / b.sum()
    for kind in (np.asarray, sp.csr_array):
        R = kind(round_plan(kind(P), a, b))
        R = R.toarray() if sp.issparse(R) else R
        assert not R[2].any() and not R[:, 3].any() and violation(R, a, b) < 1e-14


def test_it_bounds_the_exact_cost_as_the_results_do():
    rng = np.random.default_rng(0)
    C, a, b = rng.random((20, 20)), np.full(20, 0.05), np.full(20, 0.05)
    res = sinkhorn_newton(a, b, C, reg=0.01, tol=1e-3)
    rounded = (round_plan(res.plan.todense(), a, b) * C).sum()
    assert rounded == pytest.approx(res.rounded_cost, rel=1e-9) and rounded >= res.lp_lower_bound
    sparse = sparse_plan(a, b, C, reg=1.0)
    assert violation(round_plan(sparse.plan.tocsr(), a, b).toarray(), a, b) < 1e-14


def test_inputs_are_not_written_and_dtypes_stay():
    P, a, b = (x.astype(np.float32) for x in almost(6, 7, seed=4))
    S = sp.csr_array(P)
    before = P.copy()
    for kind in (P, S):
        R = round_plan(kind, a, b)
        assert R.dtype == np.float32 and violation(R, a, b) < 1e-5
    assert (before == P).all() and (S.toarray() == before).all()


def test_other_libraries_stay_on_their_device():
    device = array_api_strict.Device("device1")
    P, a, b = (array_api_strict.asarray(x, device=device) for x in almost(6, 7, seed=4))
    assert round_plan(P, a, b).device == device


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array])
@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        (lambda P, a, b: (P - 0.5 * P.max(), a, b), InvalidInputError, r"P\[\d+, \d+\] is -.*clip"),
        (lambda P, a, b: (P * np.nan, a, b), InvalidInputError, r"P\[0, 0\] is nan"),
        (lambda P, a, b: (P / P.max() * 1e308, a, b), InvalidInputError, r"P has entries up to 1e\+308: .* rescale"),
        (lambda P, a, b: (P, a, 2 * b), InvalidInputError, "a sums to 1 and b to 2"),
        (lambda P, a, b: (P, a[:-1], b), InvalidInputError, r"P has shape \(5, 6\)"),
        (lambda P, a, b: (P, -a, b), InvalidInputError, r"a\[0\] is -"),
        (lambda P, a, b: (P.astype(complex), a, b), InvalidTypeError, "P has dtype complex128"),
    ],
)
def test_bad_input_is_refused(kind, change, error, match):
    P, a, b = change(*almost(5, 6, seed=0))
    with pytest.raises(error, match=match):
        round_plan(kind(P), a, b)


@pytest.mark.parametrize("mass", [1e-300, 1e-200, 1e200])
def test_any_mass(mass):
    P = np.array([[0.5, 0.1], [0.0, 0.3]])
    R = round_plan(mass * P, mass * np.array([0.5, 0.5]), mass * np.array([0.5, 0.5])) / mass
    np.testing.assert_allclose([R.sum(axis=0), R.sum(axis=1)], 0.5, rtol=1e-12)
