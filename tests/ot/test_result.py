"""The result: fields, certificates and bounds, recomputed in plain NumPy."""

import copy
import math
import pickle

import numpy as np
import pytest

from numopt import Status
from numopt.ot import TransportPlan, TransportResult, sinkhorn_newton
from tests.oracles import ot as oracle
from tests.ot.measure import plan_of, squares, violation

NUMBERS = ["value", "dual_value", "cost", "marginal_error", "reg", "time"]
COUNTS = ["nit", "n_passes", "n_newton", "n_cg", "nnz"]
FIELDS = ["f", "g", *NUMBERS, *COUNTS, "history", "success", "status", "message", "certificate"]
ON_ACCESS = ["gap", "rounded_cost", "lp_lower_bound"]


@pytest.fixture(scope="module", params=["rows", "columns", "points", "rough", "zeros", "mass"])
def solved(request):
    a, b, C = squares(23, 31, 8)
    settings = {"reg": 0.02}
    if request.param == "points":
        rng = np.random.default_rng(0)
        X, Y = rng.random((23, 2)), rng.random((31, 2))
        return sinkhorn_newton(a, b, X=X, Y=Y, **settings), a, b, oracle.distances(X, Y, 1)
    if request.param == "rough":
        settings |= {"tol": 0.1}
    if request.param == "zeros":
        a[[0, 22]], b[4] = 0.0, 0.0
        a, b = a / a.sum(), b / b.sum()
    if request.param == "mass":
        a, b = 50 * a, 50 * b
    return sinkhorn_newton(a, b, np.array(C, order="F" if request.param == "columns" else "C"), **settings), a, b, C


def test_it_says_what_is_true(solved):
    result, a, b, C = solved
    P = plan_of(result, a, b, C)
    assert isinstance(result, TransportResult) and isinstance(result.plan, TransportPlan)
    assert result.success is True and result.status == Status.CONVERGED and "converged" in result.message
    scale = a.sum() * C.max()
    assert result.marginal_error == pytest.approx(violation(P, a, b), rel=1e-6, abs=1e-13)
    assert result.cost == pytest.approx((C * P).sum(), abs=1e-12 * scale)
    value = (C * P).sum() + result.reg * oracle.entropy(P)
    assert result.value == pytest.approx(value, abs=1e-12 * scale)
    dual = result.f @ a + result.g @ b - result.reg * P.sum()
    assert result.dual_value == pytest.approx(dual, abs=1e-12 * scale)
    assert result.certificate["marginal_error"] == result.marginal_error
    assert all(math.isfinite(v) for v in result.certificate.values())


def test_its_bounds_are_bounds(solved):
    result, a, b, C = solved
    scale = a.sum() * C.max()
    used = b > 0
    by_rows = a @ (C - result.g)[:, used].min(axis=1) + b @ result.g
    by_columns = b @ (C.T - result.f)[:, a > 0].min(axis=1) + a @ result.f
    assert result.lp_lower_bound == pytest.approx(by_rows, abs=1e-12 * scale) or (
        result.lp_lower_bound == pytest.approx(by_columns, abs=1e-12 * scale)
    )
    assert result.lp_lower_bound <= result.rounded_cost + 1e-12 * scale
    P = plan_of(result, a, b, C)
    P = P * np.minimum(1, a / np.where(a > 0, P.sum(axis=1), 1))[:, None]
    P = P * np.minimum(1, b / np.where(used, P.sum(axis=0), 1))
    u, v = a - P.sum(axis=1), b - P.sum(axis=0)
    R = P + np.outer(np.maximum(u, 0), v) / max(np.maximum(u, 0).sum(), 1e-300)
    assert violation(R, a, b) <= 1e-13
    assert result.rounded_cost == pytest.approx((C * R).sum(), abs=1e-12 * scale)
    gap = (C * R).sum() + result.reg * oracle.entropy(R) - result.dual_value
    assert result.gap == pytest.approx(gap, abs=1e-11 * scale)
    assert -1e-12 * scale <= result.gap <= 2 * max(1e-9, result.marginal_error) * scale


def test_it_reads_like_a_mapping(solved):
    result = solved[0]
    assert set(FIELDS) <= set(result)
    for name in [*FIELDS, *ON_ACCESS, "plan"]:
        assert result[name] is not None
        assert name == "plan" or repr(result[name]) == repr(getattr(result, name))
    assert "_problem" not in result and "_cache" not in dict(result)
    with pytest.raises(KeyError):
        result["_problem"]
    with pytest.raises(KeyError):
        result["x"]


def test_it_prints_in_a_page(solved):
    text = repr(solved[0])
    assert all(f"{name}: " in text for name in FIELDS)
    assert len(text.splitlines()) <= 30 and max(map(len, text.splitlines())) <= 200


def test_its_history_is_complete(solved):
    result = solved[0]
    history = result.history
    assert {len(v) for v in history.values()} == {len(history["nit"])}
    assert {"nit", "time", "measure", "reg", "n_passes", "n_cg"} <= set(history)
    assert (np.diff(history["time"]) >= 0).all() and (np.diff(history["n_passes"]) >= 0).all()
    assert history["reg"][-1] == result.reg and (np.diff(history["reg"]) <= 0).all()
    assert history["nit"][-1] == result.nit


def test_it_can_be_copied_and_sent(solved):
    result = solved[0]
    for twin in (pickle.loads(pickle.dumps(result)), copy.copy(result), copy.deepcopy(result)):
        assert np.array_equal(twin.f, result.f) and twin.gap == result.gap
        assert np.array_equal(twin.plan.todense(), result.plan.todense())


def test_its_numbers_are_pythons(solved):
    result = solved[0]
    for name in NUMBERS + ON_ACCESS:
        assert type(result[name]) is float, name
    for name in COUNTS:
        assert type(result[name]) is int, name


def test_bounds_are_computed_once(monkeypatch):
    result = sinkhorn_newton(*squares(23, 31), reg=0.02)
    first = result.gap, result.rounded_cost, result.lp_lower_bound
    monkeypatch.setattr(TransportResult, "_inner", lambda self: pytest.fail("computed again"))
    assert (result.gap, result.rounded_cost, result.lp_lower_bound) == first


def test_later_changes_of_the_callers_arrays_are_the_callers_risk():
    a, b, C = squares(23, 31)
    result = sinkhorn_newton(a, b, C, reg=0.02)
    value, f = result.value, result.f.copy()
    C[...] = 0.0  # the cost is not copied, what was computed is
    assert result.value == value and np.array_equal(result.f, f)


def test_passes_are_counted():
    a, b, C = squares(23, 31)
    result = sinkhorn_newton(a, b, C, reg=0.02, method="sinkhorn", tol=1e-6)
    assert result.n_passes == result.nit and result.n_newton == result.n_cg == result.nnz == 0
    result = sinkhorn_newton(a, b, C, reg=1e-3)
    assert 0 < result.n_newton <= result.n_cg and 0 < result.nnz < C.size
