"""Section by section: what is refused, with the argument, the index and the remedy; what is degenerate but allowed."""

import numpy as np
import pytest
import scipy.sparse as sp

from numopt import Status
from numopt.completion import matrix_completion
from numopt.exceptions import InvalidInputError, InvalidTypeError, NumoptWarning
from tests.completion.instances import error, haar

ROWS, COLUMNS, VALUES = np.array([0, 0, 1, 2, 2]), np.array([0, 1, 1, 0, 2]), np.array([1.0, 2.0, 3.0, 4.0, 5.0])


def listed(rows=ROWS, columns=COLUMNS, values=VALUES, shape=(3, 3)):
    return rows, columns, values, shape


def csr_with(**arrays):
    """A sparse array that was changed behind the back of SciPy."""
    X = sp.csr_array((np.ones(2), [0, 1], [0, 1, 2]), shape=(2, 2))
    for name, values in arrays.items():
        getattr(X, name)[:] = values
    return X


def put(x, index, value):
    x = np.array(x, dtype=float)
    x[index] = value
    return x


REFUSED = [
    (dict(X=np.full((3, 4), np.nan)), "X has no observed entry"),
    (dict(X=np.ones((3, 4)), mask=np.zeros((3, 4), bool)), "X has no observed entry"),
    (dict(X=sp.csr_array((3, 4))), "X has no observed entry"),
    (dict(X=([], [], [], (3, 4))), "values has no observed entry"),
    (dict(X=None), "X is None: a matrix"),
    (dict(X=(None, None, None, (3, 4))), "rows is None: a vector"),
    (dict(X=sp.coo_array(np.ones(3))), r"X has shape \(3,\): a matrix"),
    (dict(X=np.empty((0, 4))), r"X has shape \(0, 4\)"),
    (dict(X=np.array([[1.7e308, -1.7e308], [1.0, 1.7e308]])), "X has entries of size .*e.308: its singular"),
    (dict(X=np.ones(4)), r"X has shape \(4,\)"),
    (dict(X=put(np.ones((3, 4)), (1, 2), np.inf)), r"X\[1, 2\] is inf: a finite number"),
    (dict(X=put(np.ones((3, 4)), (1, 2), np.nan), mask=np.ones((3, 4), bool)), r"X\[1, 2\] is nan"),
    (dict(X=sp.csr_array(put(np.eye(3), (1, 1), np.nan))), r"X\[1, 1\] is nan"),
    (dict(X=sp.coo_array(put(np.eye(3), (2, 2), np.inf))), r"X\[2, 2\] is inf"),
    (dict(X=listed(values=put(VALUES, 3, np.nan))), r"values\[3\] is nan"),
    (dict(X=listed(rows=np.array([0, 0, 1, 2, 3]))), r"rows\[4\] is 3: an index from 0 to 2"),
    (dict(X=listed(columns=np.array([0, -1, 1, 0, 2]))), r"columns\[1\] is -1"),
    (dict(X=listed(rows=ROWS[:4])), r"rows has shape \(4,\): 5 indices"),
    (dict(X=listed(rows=np.zeros(5, int), columns=np.zeros(5, int))), r"X\[0, 0\] is given twice.*duplicates="),
    (dict(X=listed()[:3]), r"X is a tuple of 3: \(rows, columns, values, shape\)"),
    (dict(X=listed(shape=9)), "shape is 9"),
    (dict(X=listed(rows=np.array(2))), r"rows has shape \(\): a vector"),
    (dict(X=listed(values=2.0)), r"values has shape \(\): a vector"),
    (dict(X=csr_with(indices=[0, 7])), "X is no valid sparse array: .*7.*; rebuild it"),
    (dict(X=csr_with(indptr=[0, 5, 2])), "X has an indptr that does not rise"),
    (dict(X=np.full((3, 3), 5e-324), ridge=0.1), "ridge is 0.1 .* for entries of size 4.94e-324"),
    (dict(X=np.eye(3, dtype=np.float32), center="biases", bias_ridge=1e39), "bias_ridge 1e[+]39"),
    (dict(method="altmin-sketch", sample_splitting=True), "sample_splitting is True for 9 entries: 21 parts"),
    (dict(rank=-(10**400)), "rank is -1000"),
    (dict(ridge=10**400), "ridge is inf"),
    (dict(X=listed(shape=(3, 0))), "shape is 0"),
    (dict(X=listed(), mask=np.ones((3, 3), bool)), "mask is given and X lists"),
    (dict(X=np.eye(3), mask=np.ones((3, 2), bool)), r"mask has shape \(3, 2\)"),
    (dict(X=np.ma.array(np.eye(3), mask=np.eye(3))), r"X\[0, 0\] is masked"),
    (dict(X=listed(), sample_weight=np.ones(4)), r"sample_weight has shape \(4,\)"),
    (dict(X=listed(), sample_weight=-np.ones(5)), r"sample_weight\[0\] is -1.*>= 0"),
    (dict(X=listed(), sample_weight=np.zeros(5)), "sample_weight is 0 everywhere"),
    (dict(X=np.eye(3), sample_weight=put(np.ones((3, 3)), (0, 1), -2)), r"sample_weight\[0, 1\] is -2"),
    (dict(rank=0), "rank is 0"),
    (dict(rank=4), "rank is 4: an integer >= 1 and <= 3"),
    (dict(ridge=-1.0), "ridge is -1"),
    (dict(ridge=np.nan), "ridge is nan"),
    (dict(bias_ridge=-1.0), "bias_ridge is -1"),
    (dict(bias_ridge=1.0), 'bias_ridge is 1.0 without biases; pass center="biases"'),
    (dict(ridge_mode="rows"), "ridge_mode is 'rows'"),
    (dict(loss="l1"), "loss is 'l1'"),
    (dict(center="rows"), "center is 'rows'"),
    (dict(method="sgd"), "method is 'sgd': one of 'auto'"),
    (dict(init="zero"), "init is 'zero'"),
    (dict(inner="qr"), "inner is 'qr'"),
    (dict(inner="cg"), "inner is 'cg' with method 'auto': 'als' alone"),
    (dict(inner="cg", method="als", ridge=1.0), "inner is 'cg' with a ridge"),
    (dict(sample_splitting=True), "sample_splitting is True with method 'auto': 'altmin-sketch' alone"),
    (dict(method="vpgn", ridge=1.0), "method is 'vpgn' with a ridge"),
    (dict(method="scaledgd", center="biases"), "method is 'scaledgd' with a ridge, biases"),
    (dict(duplicates="last"), "duplicates is 'last'"),
    (dict(validation_fraction=1.0), "validation_fraction is 1"),
    (dict(validation_fraction=0.01), "validation_fraction is 0.01 of 9 entries"),
    (dict(tol=-1.0), "tol is -1"),
    (dict(max_iter=0), "max_iter is 0"),
]


@pytest.mark.parametrize(("changes", "match"), REFUSED, ids=lambda x: x if isinstance(x, str) else "")
def test_what_is_refused_is_named(changes, match):
    with pytest.raises(InvalidInputError, match=match):
        matrix_completion(**{"X": np.arange(9.0).reshape(3, 3), "rank": 1} | changes)


WRONG_TYPES = [
    (dict(X=np.eye(3) * 1j), "X has dtype complex128"),
    (dict(X=sp.csr_array(np.eye(3) * 1j)), "X has dtype complex128"),
    (dict(X=np.array([["a", "b"], ["c", "d"]], dtype=object)), "X has dtype object"),
    (dict(X=np.eye(3, dtype=np.float16)), "X has dtype float16"),
    (dict(X=listed(values=VALUES * 1j)), "values has dtype complex128"),
    (dict(X=listed(rows=ROWS * 1.0)), "rows has dtype float64: integers"),
    (dict(rank=1.5), "rank is 1.5"),
    (dict(rank="Auto"), "rank is 'Auto'"),
    (dict(rank=np.ma.masked), "rank is masked"),
    (dict(rank=np.array([])), r"rank is array\(\[\]"),
    (dict(rank=np.array([2, 3])), r"rank is array\(\[2, 3\]"),
    (dict(X=listed(rows=1.5)), "rows has dtype float64: integers"),
    (dict(method="altmin-sketch", sample_splitting=1), "sample_splitting is 1: True or False"),
    (dict(init=np.eye(3)), "init is ndarray"),
    (dict(X=np.eye(3), mask=np.array([["no"] * 3] * 3)), "mask has dtype <U2: booleans"),
    (dict(X=np.eye(3), mask=np.full((3, 3), np.nan)), "mask has dtype float64: booleans"),
    (dict(X=np.eye(3), mask=sp.csr_array(np.eye(3, dtype=bool))), "mask is sparse"),
    (dict(X=listed(values=VALUES.astype(object))), "values has dtype object"),
    (dict(X=sp.csr_array(np.eye(3)).astype(complex)), "X has dtype complex128"),
]


@pytest.mark.parametrize(("changes", "match"), WRONG_TYPES, ids=lambda x: x if isinstance(x, str) else "")
def test_wrong_types_are_named(changes, match):
    with pytest.raises(InvalidTypeError, match=match):
        matrix_completion(**{"X": np.arange(9.0).reshape(3, 3), "rank": 1} | changes)


def test_explicit_zeros_are_data():
    full = np.outer(np.arange(6.0), np.arange(1.0, 6.0))  # its first row is 0
    stored = sp.csr_array(full + 1)
    stored.data -= 1
    assert stored.nnz == 30
    dropped = stored.copy()
    dropped.eliminate_zeros()
    kept, lost = (matrix_completion(X, 1, rng=0, tol=1e-10) for X in (stored, dropped))
    assert kept.min_count == 5 and lost.min_count == 0
    assert kept.identifiable_rows.all() and not lost.identifiable_rows[0]


def test_all_input_forms_agree():
    X, _ = haar(40, 30, 2, 5)
    rows, columns, values, shape = X
    dense, mask = np.full(shape, np.nan), np.zeros(shape, bool)
    dense[rows, columns], mask[rows, columns] = values, True
    coo = sp.coo_array((values, (rows, columns)), shape=shape)
    shuffled = np.random.default_rng(0).permutation(values.size)
    forms = [
        dict(X=X), dict(X=dense), dict(X=np.where(mask, dense, 7.0), mask=mask), dict(X=coo), dict(X=coo.tocsc()),
        dict(X=sp.csr_matrix(coo)), dict(X=(*(x[shuffled] for x in X[:3]), shape)),
        dict(X=(rows.astype(np.uint8), columns.astype(np.int64), values, list(shape))),
    ]  # fmt: skip
    results = [matrix_completion(**form, rank=2, rng=0).to_dense() for form in forms]
    assert all(np.array_equal(results[0], other) for other in results)


def test_integers_and_booleans_are_cast():
    full = np.outer([1, 2, 3, 1], [1, 2, 1, 3])
    assert error(matrix_completion(full, 1, rng=0), full) < 1e-6
    ones = matrix_completion(np.ones((4, 5), bool), 1, rng=0)
    assert ones.U.dtype == np.float64 and np.allclose(ones.to_dense(), 1)


def test_duplicates_as_asked():
    rows, columns, values = (np.concatenate((x, x[:2])) for x in (ROWS, COLUMNS, VALUES))
    values[-2:] += 2.0
    mean = matrix_completion((rows, columns, values, (3, 3)), 1, ridge=0.1, duplicates="mean", rng=0, tol=1e-9)
    twice = put(np.ones(5), slice(0, 2), 2.0)
    merged = (ROWS, COLUMNS, put(VALUES, slice(0, 2), VALUES[:2] + 1), (3, 3))
    same = matrix_completion(merged, 1, ridge=0.1, sample_weight=twice, rng=0, tol=1e-9)
    assert np.allclose(mean.to_dense(), same.to_dense(), rtol=1e-6)
    w = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 3.0, 4.0])  # of a sum the weight is the mean, of a mean the sum
    summed, plain = (
        matrix_completion((*places, y, (3, 3)), 1, ridge=0.1, sample_weight=weight, duplicates="sum", rng=0, tol=1e-9)
        for places, y, weight in (
            ((rows, columns), values, w),
            ((ROWS, COLUMNS), put(VALUES, slice(0, 2), 2 * VALUES[:2] + 2), np.array([2.0, 3.0, 3.0, 4.0, 5.0])),
        )
    )
    assert np.allclose(summed.to_dense(), plain.to_dense(), rtol=1e-6)


def test_empty_rows_and_columns_get_zeros():
    X, full = haar(60, 50, 2, 6)
    dense = np.full((60, 50), np.nan)
    dense[X[0], X[1]] = X[2]
    dense[7], dense[:, 9] = np.nan, np.nan
    result = matrix_completion(dense, 2, rng=0, tol=1e-9)
    assert result.success and result.min_count == 0
    assert not result.to_dense()[7].any() and not result.to_dense()[:, 9].any()
    assert not result.identifiable_rows[7] and not result.identifiable_cols[9]
    rest = np.delete(np.delete(result.to_dense() - full, 7, 0), 9, 1)
    assert np.abs(rest).max() < 1e-6


MODELS = [{"center": "biases", "ridge": 0.1}, {"loss": "huber"}, {"center": "global"}, {"init": "random"}]


@pytest.mark.parametrize("more", MODELS, ids=str)
def test_empty_rows_get_what_the_model_has_without_them(more):
    X, _ = haar(30, 20, 1, 8)
    keep = X[0] != 4
    X = (*(x[keep] for x in X[:3]), X[3])
    result = matrix_completion(X, 1, rng=0, on_failure="ignore", max_iter=200, **more)
    assert not result.U[4].any() and result.row_bias[4] == 0
    assert np.allclose(result.to_dense()[4], result.mean + result.col_bias)


@pytest.mark.parametrize("more", [{"ridge": 0.1}, {"center": "biases", "ridge": 0.1}, {"loss": "huber"}], ids=str)
@pytest.mark.parametrize("shape", [(1, 6), (6, 1)])
def test_single_lines_work_in_all_models(shape, more):
    X = np.arange(1.0, 7.0).reshape(shape)
    result = matrix_completion(X, 1, rng=0, on_failure="ignore", **more)
    assert np.isfinite(result.to_dense()).all() and np.abs(result.to_dense() - X).max() < 1


def test_zeros_constants_and_single_lines():
    models = {}, {"ridge": 1.0}, {"loss": "huber"}, {"validation_fraction": 0.2}, {"center": "biases", "ridge": 1.0}
    for more in models:
        zero = matrix_completion(np.zeros((4, 5)), 2, rng=0, **more)
        assert zero.success and zero.rank == 0 and not zero.to_dense().any(), more
    seven = np.where(np.random.default_rng(0).random((20, 20)) < 0.5, 7.0, np.nan)
    assert np.allclose(matrix_completion(seven, 1, rng=0, tol=1e-9).to_dense(), 7.0)
    centred = matrix_completion(seven, 1, rng=0, center="global")
    assert centred.success and centred.mean == 7.0 and np.allclose(centred.to_dense(), 7.0)
    for shape in ((1, 6), (6, 1), (1, 1)):
        X = np.arange(1.0, 7.0)[: shape[0] * shape[1]].reshape(shape)
        assert np.allclose(matrix_completion(X, 1, rng=0, tol=1e-9).to_dense(), X)


@pytest.mark.parametrize("scale", [1e200, 1e-300, 5e-324 * 1e6])
def test_huge_and_tiny_numbers(scale):
    full = np.outer(np.arange(1.0, 9), np.arange(2.0, 9))
    mask = np.random.default_rng(1).random(full.shape) < 0.8
    result = matrix_completion(np.where(mask, full * scale, np.nan), 1, rng=0, tol=1e-6)
    assert result.success and np.allclose(result.to_dense() / scale, full, rtol=1e-4)


@pytest.mark.parametrize(("m", "rank"), [(4, 1), (6, 2)])
def test_very_rectangular_shapes(m, rank):
    X, full = haar(m, 4000, rank, 2.5)
    for data, target in ((X, full), ((X[1], X[0], X[2], X[3][::-1]), full.T)):
        result = matrix_completion(data, rank, rng=0, tol=1e-8, on_failure="ignore")
        wide = result.to_dense()
        ok = result.identifiable_rows[:, None] & result.identifiable_cols
        assert np.abs((wide - target)[ok]).max() < 1e-4


def test_a_rank_above_the_median_count_warns():
    X = np.where(np.random.default_rng(0).random((30, 30)) < 0.1, 1.0, np.nan)
    X[0, 0] = 1.0
    with pytest.warns(NumoptWarning, match="under-determined; lower the rank, or pass ridge"):
        matrix_completion(X, 6, rng=0, on_failure="ignore")
    matrix_completion(X, 6, ridge=0.1, rng=0, on_failure="ignore")


def test_running_out_of_iterations_warns_and_returns_the_best():
    X, _ = haar(100, 100, 3, 4)
    with pytest.warns(NumoptWarning, match="max_iter"):
        result = matrix_completion(X, 3, max_iter=3, rng=0)
    assert result.status == Status.MAX_ITER and np.isfinite(result.to_dense()).all()


def test_inputs_may_be_read_only_and_strided():
    X, _ = haar(30, 30, 2, 5)
    wide = np.zeros((2, X[2].size * 2))
    wide[0, ::2] = X[2]
    strided = wide[0, ::2]
    strided.flags.writeable = False
    one = matrix_completion((X[0], X[1], strided, X[3]), 2, rng=0)
    assert np.array_equal(one.to_dense(), matrix_completion(X, 2, rng=0).to_dense())


@pytest.mark.parametrize(
    ("rows", "cols", "match"),
    [
        ([0, 1], [0], "rows has 2 and cols 1"),
        ([9], [0], r"rows\[0\] is 9"),
        ([0], [-1], r"cols\[0\] is -1"),
        ([[0]], [0], "rows has shape"),
        ([0], [0.0], "cols has dtype float64: integers"),
        ([True], [0], "rows has dtype bool: integers"),
    ],
)
def test_predictions_outside_are_refused(rows, cols, match):
    result = matrix_completion(np.ones((3, 4)), 1, rng=0)
    with pytest.raises(InvalidInputError, match=r"rows\[1\] is masked"):
        result.predict(np.ma.array([0, 1], mask=[False, True]), [0, 1])
    with pytest.raises((InvalidInputError, InvalidTypeError), match=match):
        result.predict(rows, cols)
    assert result.predict([], []).shape == (0,)


def test_a_row_whose_weights_are_all_zero_is_an_empty_row():
    X, _ = haar(50, 40, 2, 6)
    w = np.where(X[0] == 7, 0.0, 1.0)
    weighted = matrix_completion(X, 2, sample_weight=w, rng=0, tol=1e-9)
    keep = w > 0
    left_out = matrix_completion((*(x[keep] for x in X[:3]), X[3]), 2, rng=0, tol=1e-9)
    assert np.array_equal(weighted.to_dense(), left_out.to_dense()) and not weighted.U[7].any()
    assert weighted.min_count == 0 and not weighted.identifiable_rows[7]


def test_indices_may_be_64_bit_and_unsorted():
    X, _ = haar(40, 30, 2, 6)
    csr = sp.coo_array((X[2], X[:2]), shape=X[3]).tocsr()
    wide = sp.csr_array((csr.data, csr.indices.astype(np.int64), csr.indptr.astype(np.int64)), shape=X[3])
    turned = csr.copy()
    for lo, hi in zip(csr.indptr[:-1], csr.indptr[1:], strict=True):
        turned.indices[lo:hi], turned.data[lo:hi] = csr.indices[lo:hi][::-1], csr.data[lo:hi][::-1]
    turned.has_sorted_indices = False
    plain = matrix_completion(csr, 2, rng=0).to_dense()
    for X in (wide, turned):
        assert np.array_equal(matrix_completion(X, 2, rng=0).to_dense(), plain)
    assert turned.indices[0] > turned.indices[1]  # the caller's is as it was


@pytest.mark.parametrize("method", ["auto", "als", "vpgn", "altmin-sketch", "scaledgd", "subgm", "irls"])
def test_rows_shorter_than_the_rank_give_numbers_and_no_success(method):
    X = np.array([0, 1, 2, 3, 4, 0]), np.array([0, 1, 2, 3, 4, 1]), np.arange(1.0, 7), (5, 5)
    with pytest.warns(NumoptWarning, match="under-determined"):
        result = matrix_completion(X, 3, method=method, max_iter=60, rng=0, on_failure="ignore")
    assert not result.success and np.isfinite(result.to_dense()).all() and np.isfinite(result.s).all()


@pytest.mark.parametrize("scale", [1e150, 1e-150])
@pytest.mark.parametrize("more", [{"rank": "auto"}, {"loss": "huber"}, {"ridge": 1e-3}, {"method": "als"}], ids=str)
def test_the_unit_of_the_data_does_not_matter(scale, more):
    X, _ = haar(40, 30, 2, 6)
    plain = matrix_completion(X, **{"rank": 2, "rng": 0} | more)
    if "ridge" in more:
        more = {"ridge": scale * more["ridge"]}
    result = matrix_completion((X[0], X[1], scale * X[2], X[3]), **{"rank": 2, "rng": 0} | more)
    assert result.success and np.allclose(result.to_dense() / scale, plain.to_dense(), rtol=1e-4, atol=1e-5)


def test_one_entry_beyond_all_others_gives_no_nan():
    X, full = haar(40, 30, 2, 6)
    X[2][5] = 1e150
    with np.errstate(all="ignore"):
        result = matrix_completion(X, 2, rng=0, on_failure="ignore", max_iter=60)
    assert not result.success and np.isfinite(result.to_dense()).all()
    result = matrix_completion(X, 2, loss="huber", rng=0)
    assert result.success and error(result, full) < 1e-5


def test_hidden_places_and_masks_are_refused():
    hidden = np.ma.array([0, 1, 2], mask=[False, True, False])
    for name, places in (("rows", (hidden, [0, 1, 2])), ("columns", ([0, 1, 2], hidden))):
        with pytest.raises(InvalidInputError, match=rf"{name}\[1\] is masked"):
            matrix_completion((*places, [1.0, 2.0, 3.0], (3, 3)), rank=1)
    mask = np.ma.array(np.ones((3, 3), bool), mask=np.eye(3) > 0)
    with pytest.raises(InvalidInputError, match=r"mask\[0, 0\] is masked"):
        matrix_completion(np.ones((3, 3)), rank=1, mask=mask)


@pytest.mark.parametrize("method", ["auto", "als", "vpgn", "altmin-sketch", "scaledgd", "irls"])
def test_every_method_says_why_parts_do_not_determine_each_other(method):
    full = np.random.default_rng(0).standard_normal((40, 2)) @ np.random.default_rng(1).standard_normal((2, 40))
    mask = np.kron(np.eye(2), np.ones((20, 20))).astype(bool)
    with pytest.warns(NumoptWarning, match="the completion is not unique, .*: lower the rank or pass ridge"):
        result = matrix_completion(full, 2, mask=mask, method=method, rng=0)
    assert not result.success and result.status == (Status.STALLED if method == "irls" else Status.INVALID_MODEL)


@pytest.mark.parametrize("more", [{"center": "biases"}, {"validation_fraction": 0.2, "max_iter": 40}], ids=str)
def test_parts_are_no_success_in_other_models_without_a_ridge(more):
    full = np.random.default_rng(0).standard_normal((40, 2)) @ np.random.default_rng(1).standard_normal((2, 40))
    mask = np.kron(np.eye(2), np.ones((20, 20))).astype(bool)
    result = matrix_completion(full, 2, mask=mask, rng=0, on_failure="ignore", **more)
    assert not result.success and "fall into 2 parts" in result.message


def test_entries_in_one_row_alone_are_a_matrix_of_one_row():
    X = np.full((9, 7), np.nan)
    X[4] = np.arange(1.0, 8)
    for data in (X, X.T):
        result = matrix_completion(data, 1, rng=0, tol=1e-9)
        assert result.success and np.allclose(result.to_dense()[data == data], data[data == data])


@pytest.mark.parametrize("stop", [KeyboardInterrupt, ZeroDivisionError, StopIteration])
def test_a_run_that_is_stopped_keeps_its_best_factors(stop):
    X, _ = haar(60, 50, 3, 4)

    def callback(at):
        if at.nit == 3:
            raise stop

    options = dict(rng=0, on_failure="ignore", callback=callback)
    if stop is ZeroDivisionError:
        with pytest.raises(stop) as caught:
            matrix_completion(X, 3, **options)
        result = caught.value.result
    else:
        result = matrix_completion(X, 3, **options)
    expected = {KeyboardInterrupt: "INTERRUPTED", ZeroDivisionError: "EVALUATION_ERROR", StopIteration: "CALLBACK_STOP"}
    assert result.status == Status[expected[stop]] and not result.success
    off = X[2] - result.predict(X[0], X[1])
    assert np.isclose(np.linalg.norm(off) / np.linalg.norm(X[2]), result.rel_residual) and result.rel_residual < 1


def test_no_time_is_enough_for_one_iterate():
    X, _ = haar(60, 50, 3, 4)
    result = matrix_completion(X, 3, max_time=0, rng=0, on_failure="ignore")
    assert result.status == Status.TIME_LIMIT and result.nit == 1 and np.isfinite(result.to_dense()).all()


@pytest.mark.parametrize("data", [np.asfortranarray, lambda x: x[::-1, ::-1], lambda x: x.astype(">f8"), np.matrix])
@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_dense_data_may_lie_in_memory_as_they_like(data):
    full = np.outer(np.arange(1.0, 9), np.arange(2.0, 9))
    given = data(full)
    given.flags.writeable = False
    result = matrix_completion(given, 1, rng=0, tol=1e-9)
    assert result.success and np.allclose(result.to_dense(), np.asarray(given))


@pytest.mark.parametrize("form", ["csr", "csc", "coo", "bsr", "dia", "lil", "dok"])
def test_stored_zeros_count_in_every_form(form):
    X = sp.dia_array((np.array([[1.0, 0.0, 3.0, 4.0], [9.0, 5.0, 0.0, 7.0]]), [0, 1]), shape=(4, 4))
    places = [0, 1, 2, 3, 0, 1, 2], [0, 1, 2, 3, 1, 2, 3]
    coo = sp.coo_array(([1.0, 0.0, 3.0, 4.0, 5.0, 0.0, 7.0], places), shape=(4, 4))
    X = X if form == "dia" else sp.bsr_array(coo, blocksize=(1, 1)) if form == "bsr" else coo.asformat(form)
    result = matrix_completion(X, 1, rng=0, ridge=1.0, tol=1e-3)
    assert round(result.oversampling * 7) == 7


@pytest.mark.parametrize("size", [1e308, 5e-324])
def test_weights_may_be_as_large_and_small_as_numbers_are(size):
    X, full = haar(40, 30, 2, 6)
    w = np.where(np.random.default_rng(0).random(X[2].size) < 0.5, size, size / 2 or size)
    for more in ({}, {"validation_fraction": 0.1, "ridge": size * 1e-6}):
        result = matrix_completion(X, 2, sample_weight=w, rng=0, on_failure="ignore", **more)
        assert error(result, full) < 1e-3
