"""The plan object: rows, products and conversions against the dense plan, on both orders of memory and on points."""

import pickle

import numpy as np
import pytest
import scipy.sparse

import numopt
from numopt.exceptions import InvalidInputError, InvalidTypeError
from numopt.ot import TransportPlan, sinkhorn_newton
from tests.ot.measure import plan_of, squares

KINDS = ["rows", "columns", "points", "zeros", "forbidden", "float32"]


@pytest.fixture(params=KINDS)
def solved(request):
    """Return (result, plan in plain NumPy, a, b)."""
    rng = np.random.default_rng(0)
    X, Y = rng.random((23, 2)), rng.random((31, 2))
    a, b, C = squares(23, 31, 8)
    if request.param == "points":
        C = ((X[:, None] - Y) ** 2).sum(axis=2)
        result = sinkhorn_newton(a, b, X=X, Y=Y, reg=0.02)
    else:
        if request.param == "zeros":
            a[[0, 22]], b[4] = 0.0, 0.0
            a, b = a / a.sum(), b / b.sum()
        if request.param == "forbidden":
            C[rng.random(C.shape) < 0.3] = np.inf
        if request.param == "float32":
            a, b, C = (x.astype(np.float32) for x in (a, b, C))
        laid = np.asfortranarray(C) if request.param == "columns" else C
        result = sinkhorn_newton(a, b, laid, reg=0.02)
    return result, plan_of(result, a, b, C), a, b


def close(x, y):
    rtol = 1e-4 if x.dtype == np.float32 else 1e-11
    np.testing.assert_allclose(x, y, rtol=rtol, atol=rtol * np.abs(y).max() * 1e-3 + 1e-300)


def test_every_view_is_the_same_plan(solved):
    result, P, _, _ = solved
    plan, rng = result.plan, np.random.default_rng(1)
    assert isinstance(plan, TransportPlan)
    assert plan.shape == P.shape and plan.dtype == result.f.dtype
    close(plan.todense(), P)
    for i in (0, 7, 22, -1, -23):
        close(plan.row(i), P[i])
    for k in ((), (1,), (5,)):
        x, y = rng.standard_normal((31, *k)), rng.standard_normal((23, *k))
        close(plan.matvec(x), (P @ x).astype(plan.dtype))
        close(plan.rmatvec(y), (P.T @ y).astype(plan.dtype))
        assert plan.matvec(x).dtype == plan.rmatvec(y).dtype == plan.dtype
    Y = rng.standard_normal((31, 2))
    moved, mean = plan.barycentric(Y), (P.sum(axis=0) @ Y) / P.sum()
    sums = P.sum(axis=1, keepdims=True)
    sent = np.where(sums > 0, P @ Y / np.where(sums > 0, sums, 1), mean)
    tolerance = 1e-5 if plan.dtype == np.float32 else 1e-12
    np.testing.assert_allclose(moved, sent, rtol=tolerance, atol=tolerance)
    assert moved.shape == (23, 2)


@pytest.mark.parametrize("order", ["C", "F"])
def test_means_of_points_are_means_however_little_weight_a_row_has(order):
    a, b, C = squares(23, 31, 8)
    a[[3, 8]] = 1e-8, 1e-15  # below what the marginals may be off by, and held out
    a, Y = a / a.sum(), np.random.default_rng(0).random((31, 2)) + 5
    result = sinkhorn_newton(a, b, np.array(C, order=order), reg=0.02, tol=1e-2)
    E = (result.g - C) / result.reg
    W = np.exp(E - E.max(axis=1, keepdims=True))
    np.testing.assert_allclose(result.plan.barycentric(Y), W @ Y / W.sum(axis=1, keepdims=True), rtol=1e-9)


@pytest.mark.parametrize("threshold", [1e-300, 1e-12, 1e-3, 0.9])
def test_sparse_plans_hold_what_is_large(solved, threshold):
    result, P, a, b = solved
    sparse = result.plan.tocsr(threshold)
    assert isinstance(sparse, scipy.sparse.csr_array)
    assert sparse.shape == P.shape and sparse.dtype == result.f.dtype
    assert sparse.has_canonical_format and sparse.indices.dtype.kind == "i"
    smaller = np.minimum(a[:, None], b)
    kept = sparse.toarray()
    sure, out = threshold * 1.001 * smaller < P, threshold * 0.999 * smaller > P
    close(np.where(sure, kept, 0), np.where(sure, P, 0))
    assert not kept[out & (kept != 0)].any()
    assert not kept[a == 0].any() and not kept[:, b == 0].any()
    assert sparse.nnz == np.count_nonzero(kept) or threshold < 1e-200


@pytest.mark.parametrize("threshold", [0, -1.0, np.nan, None, "x"])
def test_bad_thresholds(threshold):
    plan = sinkhorn_newton(*squares(4, 5), reg=0.1).plan
    with pytest.raises((InvalidInputError, InvalidTypeError), match="threshold is"):
        plan.tocsr(threshold)


@pytest.mark.parametrize(
    ("method", "bad", "message"),
    [
        ("matvec", np.ones(4), r"x has shape \(4,\): \(5,\) or \(5, k\)"),
        ("matvec", np.ones((5, 1, 1)), "x has shape"),
        ("matvec", 1.0, "x has shape"),
        ("rmatvec", np.ones(5), r"y has shape \(5,\): \(4,\) or \(4, k\)"),
        ("barycentric", np.ones((4, 2)), r"Y has shape \(4, 2\)"),
        ("barycentric", np.ones(5), r"Y has shape \(5,\)"),
    ],
)
@pytest.mark.parametrize("order", ["C", "F"])
def test_bad_operands(method, bad, message, order):
    a, b, C = squares(4, 5)
    plan = sinkhorn_newton(a, b, np.array(C, order=order), reg=0.1).plan
    with pytest.raises(InvalidInputError, match=message):
        getattr(plan, method)(bad)


@pytest.mark.parametrize("i", [4, -5, 10**9])
def test_rows_that_do_not_exist(i):
    with pytest.raises(IndexError, match=f"i is {i}: an integer from -4 to 3"):
        sinkhorn_newton(*squares(4, 5), reg=0.1).plan.row(i)


@pytest.mark.parametrize("i", [1.0, None, "0", slice(1), True])
def test_rows_have_whole_numbers(i):
    with pytest.raises(InvalidTypeError, match="i is "):
        sinkhorn_newton(*squares(4, 5), reg=0.1).plan.row(i)


def test_arrays_of_another_library_are_refused(strict):
    plan = sinkhorn_newton(*squares(4, 5), reg=0.1).plan
    with pytest.raises(InvalidTypeError):
        plan.matvec(strict.ones(5))


@pytest.mark.parametrize("method", ["matvec", "rmatvec", "barycentric"])
def test_operands_that_are_no_plain_real_numbers_are_refused(method):
    a, b, C = squares(6, 6)
    plan = sinkhorn_newton(a, b, C, reg=0.1).plan
    Z = np.ones((6, 2))
    for bad in (np.ma.masked_array(Z, mask=Z > 0), Z * 1j, [["x", "y"]] * 6):
        with pytest.raises((InvalidInputError, InvalidTypeError)):
            getattr(plan, method)(bad)


def test_nan_in_an_operand_is_the_callers():
    plan = sinkhorn_newton(*squares(4, 5), reg=0.1).plan
    assert np.isnan(plan.matvec(np.array([1.0, np.nan, 0, 0, 0]))).all()


def test_many_blocks_are_one_plan(monkeypatch):
    monkeypatch.setattr("numopt.ot._plan._BLOCK", 64)  # two rows of 31 at a time
    a, b, C = squares(23, 31, 8)
    for laid in (C, np.asfortranarray(C)):
        result = sinkhorn_newton(a, b, laid, reg=0.02)
        P = plan_of(result, a, b, C)
        close(result.plan.todense(), P)
        close(result.plan.matvec(np.ones(31)), P.sum(axis=1))
        close(result.plan.rmatvec(np.ones(23)), P.sum(axis=0))
        close(result.plan.row(5), P[5])


def test_on_a_device(xp):
    a, b, C = squares(9, 11)
    result = sinkhorn_newton(xp.asarray(a), xp.asarray(b), xp.asarray(C), reg=0.05)
    plan, P = result.plan, plan_of(_on_host(result, xp), a, b, C)
    for mine, true in (
        (plan.todense(), P),
        (plan.row(3), P[3]),
        (plan.matvec(xp.asarray(np.ones(11))), P.sum(axis=1)),
        (plan.rmatvec(xp.asarray(np.ones(9))), P.sum(axis=0)),
    ):
        assert xp.owns(mine)
        close(xp.to_numpy(mine), true)
    assert xp.owns(plan.barycentric(xp.asarray(np.ones((11, 2)))))
    assert plan.tocsr().shape == (9, 11)


def _on_host(result, xp):
    class Host:
        f, g, reg = xp.to_numpy(result.f), xp.to_numpy(result.g), result.reg

    return Host


def test_nothing_is_formed_unasked(monkeypatch):
    a, b, C = squares(23, 31)
    result = sinkhorn_newton(a, b, C, reg=0.02)
    monkeypatch.setattr(TransportPlan, "_blocks", lambda *_: pytest.fail("the plan was formed"))
    assert "TransportPlan(shape=(23, 31)" in repr(result.plan)
    assert result.plan.tocsr().nnz > 0
    repr(result)


def test_the_plan_survives_pickling():
    result = sinkhorn_newton(*squares(23, 31), reg=0.02)
    again = pickle.loads(pickle.dumps(result))
    assert np.array_equal(again.plan.todense(), result.plan.todense())
    assert again.gap == result.gap


def test_the_plain_room_has_the_same_plan():
    a, b, C = squares(23, 31)
    plan = sinkhorn_newton(a, b, C, reg=0.02).plan
    fast = plan.tocsr()
    with numopt.use_kernels("portable"):
        plain = plan.tocsr()
    np.testing.assert_allclose(fast.toarray(), plain.toarray(), rtol=1e-12)
