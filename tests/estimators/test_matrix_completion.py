"""The estimator of matrix completion: scikit-learn's checks, folding in, imputation, splits of entries."""

import pickle

import array_api_strict
import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.model_selection import KFold
from sklearn.utils.estimator_checks import parametrize_with_checks

from numopt.estimators import EntrySplit, MatrixCompletion, cross_val_completion
from numopt.exceptions import InvalidInputError, InvalidTypeError
from tests.completion.instances import haar

TWICE = sp.coo_array((np.ones(3), ([0, 0, 1], [0, 0, 1])), shape=(2, 2))


@pytest.mark.filterwarnings("ignore::numopt.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore::numopt.exceptions.NumoptWarning")
@parametrize_with_checks([MatrixCompletion(max_iter=60)])
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def problem(m=60, n=50, rank=3, seed=0):
    X, full = haar(m, n, rank, 5, seed=seed)
    dense = np.full((m, n), np.nan)
    dense[X[0], X[1]] = X[2]
    return dense, full


def test_folding_in_the_training_rows_gives_their_factors():
    X, full = problem()
    model = MatrixCompletion(3, tol=1e-10, random_state=0).fit(X)
    assert np.allclose(model.transform(X), model.row_factors_, atol=1e-7)
    assert np.allclose(model.inverse_transform(model.row_factors_), full, atol=1e-6)
    assert np.allclose(model.predict(X), full, atol=1e-6)
    assert np.allclose(model.predict([3, 4], [5, 6]), full[[3, 4], [5, 6]], atol=1e-6)


def test_only_missing_entries_are_imputed():
    X, full = problem()
    model = MatrixCompletion(3, tol=1e-9, random_state=0).fit(X)
    filled, seen = model.impute(X), ~np.isnan(X)
    assert np.array_equal(filled[seen], X[seen]) and np.allclose(filled, full, atol=1e-5)
    with pytest.raises(InvalidTypeError, match="predict"):
        model.impute(sp.csr_array(full))


def test_new_rows_are_added_and_unseen_ones_predicted_by_the_mean():
    X, full = problem()
    model = MatrixCompletion(3, tol=1e-9, random_state=0).fit(X[:50]).partial_fit(X[50:])
    assert model.row_factors_.shape == (60, 3)
    assert np.allclose(model.predict([55], [7]), full[55, 7], atol=1e-4)
    nothing = np.full((1, 50), np.nan)
    centred = MatrixCompletion(3, center="global", random_state=0, tol=1e-3, max_iter=50).fit(X)
    assert np.allclose(centred.predict(nothing), centred.mean_) and not centred.transform(nothing).any()


def test_dense_and_sparse_give_the_same_model():
    X, _ = problem()
    rows, columns = np.nonzero(~np.isnan(X))
    sparse = sp.csr_array((X[rows, columns], (rows, columns)), shape=X.shape)
    one, two = (MatrixCompletion(3, random_state=0).fit(data) for data in (X, sparse))
    assert np.array_equal(one.components_, two.components_)
    assert one.score(X) == two.score(sparse) <= 0
    assert one.transform(X).shape == (60, 3)


def test_biases_are_folded_in():
    rng = np.random.default_rng(0)
    full = 3 + rng.standard_normal((60, 1)) + rng.standard_normal(40) + np.outer(rng.standard_normal(60), np.ones(40))
    model = MatrixCompletion(1, center="biases", ridge=1e-3, random_state=0, tol=1e-4, max_iter=5000).fit(full[:50])
    assert np.abs(model.predict(full[50:]) - full[50:]).max() < 0.05


def test_wrong_shapes_are_refused():
    X, _ = problem()
    model = MatrixCompletion(3, random_state=0).fit(X)
    with pytest.raises(ValueError, match="features"):
        model.transform(X[:, :-1])
    with pytest.raises(InvalidInputError, match="rows fitted"):
        model.score(X[:-1])


def test_it_clones_and_pickles():
    X, _ = problem()
    model = pickle.loads(pickle.dumps(clone(MatrixCompletion(3, random_state=0)).fit(X)))
    assert model.result_.success and np.isfinite(model.predict(X)).all()


def test_other_arrays_stay_what_they_are():
    X, _ = problem()
    kind = type(array_api_strict.empty(0))
    for loss in ("squared", "huber"):
        model = MatrixCompletion(3, loss=loss, random_state=0).fit(array_api_strict.asarray(X))
        assert type(model.components_) is kind and model.n_features_in_ == 50
        model.partial_fit(array_api_strict.asarray(X[:4])).partial_fit(array_api_strict.asarray(X[7:9]), rows=[3, 0])
        assert type(model.row_factors_) is kind and model.row_factors_.shape == (64, 3)
        expected = model.transform(array_api_strict.asarray(X[[8, 1, 2, 7, 0]]))
        found = model.row_factors_[:4, :], model.row_factors_[60:61, :]
        assert np.allclose(np.concatenate([np.asarray(x) for x in found]), np.asarray(expected), atol=1e-4)


def test_imputation_keeps_entries_to_the_bit_and_their_dtype():
    X, _ = problem()
    for fitted, given in (("float32", "float64"), ("float64", "float32")):
        model = MatrixCompletion(3, tol=1e-4, random_state=0).fit(X.astype(fitted))
        filled, seen = model.impute(X.astype(given)), ~np.isnan(X)
        assert filled.dtype == given and np.array_equal(filled[seen], X.astype(given)[seen])


def test_the_defaults_take_outliers():
    X, full = problem(rank=2)
    rows, columns = np.nonzero(~np.isnan(X))
    hit = np.random.default_rng(0).permutation(rows.size)[: rows.size // 20]
    X[rows[hit], columns[hit]] += 7.0
    model = MatrixCompletion(loss="huber", random_state=0).fit(X)
    assert model.rank_ == 2 and np.median(np.abs(model.result_.to_dense() - full)) < 1e-4


def test_rows_without_entries_may_be_sparse():
    X, _ = problem()
    model = MatrixCompletion(3, random_state=0).fit(X)
    assert model.transform(sp.csr_array((2, 50))).shape == (2, 3) and not model.transform(sp.csr_array((2, 50))).any()


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda m, X: m.inverse_transform(np.ones((2, 5))), r"U has shape \(2, 5\): a matrix of 3 columns"),
        (lambda m, X: m.inverse_transform(np.ones(3)), r"U has shape \(3,\): a matrix of 3 columns"),
        (lambda m, X: m.fit(X, entry_weight=np.ones(3)), r"entry_weight has shape \(3,\): \(60, 50\)"),
        (lambda m, X: m.partial_fit(X[:2], entry_weight=np.ones(3)), r"entry_weight has shape \(3,\): \(2, 50\)"),
        (lambda m, X: m.predict([0.5], [1]), "rows has dtype float64: integers"),
        (lambda m, X: m.partial_fit(X[:2], rows=[3]), "rows has 1 indices, 1 distinct: 2 are expected"),
        (lambda m, X: m.partial_fit(X[:2], rows=[3, 3]), "rows has 2 indices, 1 distinct"),
        (lambda m, X: m.partial_fit(X[:2], rows=[3, 60]), r"rows\[1\] is 60: an index from 0 to 59"),
        (lambda m, X: clone(m).partial_fit(X[:2], rows=[0, 1]), "rows is given before the first fit"),
        (lambda m, X: m.inverse_transform([[1.0, np.nan, 2.0]]), r"U\[0, 1\] is nan: a finite number"),
        (lambda m, X: m.inverse_transform(np.ma.array(np.ones((1, 3)), mask=[[0, 0, 1]])), r"U\[0, 2\] is masked"),
        (lambda m, X: m.inverse_transform(np.ones((1, 3), complex)), "U has dtype complex128: real numbers"),
        (lambda m, X: m.inverse_transform(sp.csr_array(np.ones((1, 3)))), "U is sparse"),
        (lambda m, X: m.predict(np.ma.array([3], mask=[True]), [1]), r"rows\[0\] is masked"),
        (lambda m, X: MatrixCompletion(rank=np.ma.masked).fit(X), "rank is masked: an integer"),
        (lambda m, X: cross_val_completion(m, X, ranks=2), "ranks is 2: a sequence"),
        (lambda m, X: cross_val_completion(m, X, ranks=1.5), "ranks is 1.5: a sequence"),
        (lambda m, X: cross_val_completion(m, X, ranks=[]), r"ranks is \[\]: a sequence of one rank or more"),
        (lambda m, X: cross_val_completion([], X), r"estimator is \[\]: a MatrixCompletion"),
        (lambda m, X: cross_val_completion(m, X, cv=1), "cv is 1: an integer >= 2"),
        (lambda m, X: cross_val_completion(m, X, cv=KFold(3)), "cv is KFold.* an EntrySplit, which splits entries"),
        (lambda m, X: next(EntrySplit(2).split(X * 1j)), "Complex data"),
        (lambda m, X: next(EntrySplit(2).split(np.full((3, 3), np.inf))), "infinity"),
        (lambda m, X: next(EntrySplit(2).split(X[0])), "2D array"),
        (lambda m, X: next(EntrySplit(2).split(TWICE)), r"X\[0, 0\] is given twice"),
    ],
)
def test_what_does_not_fit_is_named(call, match):
    X, _ = problem()
    model = MatrixCompletion(3, random_state=0).fit(X)
    with pytest.raises((ValueError, TypeError), match=match):
        call(model, X)


@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_entries_are_split_into_disjoint_parts(kind):
    X, _ = problem()
    rows, columns = np.nonzero(~np.isnan(X))
    sparse = sp.csr_array((X[rows, columns], (rows, columns)), shape=X.shape)
    total = 0
    for train, test in EntrySplit(4, random_state=0).split(X if kind == "dense" else sparse):
        if kind == "dense":
            assert not (~np.isnan(train) & ~np.isnan(test)).any()
            total += (~np.isnan(test)).sum()
        else:
            assert train.nnz + test.nnz == sparse.nnz
            total += test.nnz
    assert total == rows.size
    assert next(EntrySplit(2).split(X.astype("float32")))[0].dtype == np.float32
    with pytest.raises(InvalidInputError, match="n_splits is 1"):
        next(EntrySplit(1).split(X))
    with pytest.raises(InvalidInputError, match="n_splits is 5 for 4 entries"):
        next(EntrySplit(5).split(np.ones((2, 2))))


def test_masked_entries_are_missing():
    X, _ = problem()
    masked = np.ma.array(np.where(np.isnan(X), 1e6, X), mask=np.isnan(X))
    model, same = (MatrixCompletion(3, random_state=0).fit(Z) for Z in (X, masked))
    np.testing.assert_array_equal(same.components_, model.components_)
    np.testing.assert_array_equal(same.impute(masked), model.impute(X))
    parts = (EntrySplit(2, random_state=0).split(Z) for Z in (X, masked))
    for part, other in zip(*parts, strict=True):
        np.testing.assert_array_equal(np.isnan(part[0]), np.isnan(other[0]))


def test_cross_validation_prefers_the_true_rank():
    X, _ = haar(80, 80, 3, 6, noise=0.2)
    sparse = sp.coo_array((X[2], (X[0], X[1])), shape=X[3])
    scores = cross_val_completion(MatrixCompletion(random_state=0, tol=1e-4), sparse, cv=3, ranks=[2, 3])
    assert scores.shape == (2, 3) and scores[1].mean() > scores[0].mean()
    assert cross_val_completion(MatrixCompletion(3, random_state=0), sparse, cv=3).shape == (3,)


def test_rows_may_be_revised():
    X, full = problem()
    model = MatrixCompletion(3, tol=1e-9, random_state=0).fit(X)
    before = model.row_factors_.copy()
    other = full[[7, 2]] + full[[11, 12]]  # two users have changed their minds
    model.partial_fit(other, rows=[7, 2])
    rest = np.delete(np.arange(60), [2, 7])
    assert model.row_factors_.shape == (60, 3) and np.array_equal(model.row_factors_[rest], before[rest])
    assert np.allclose(model.predict([7, 2], [5, 6]), other[[0, 1], [5, 6]], atol=1e-6)
    model.partial_fit(X[2:3]).partial_fit(np.full((1, 50), np.nan), rows=[0])
    assert model.row_factors_.shape == (61, 3) and not model.row_factors_[0].any()
    assert np.allclose(model.predict([60], [6]), full[2, 6], atol=1e-6)


def test_outliers_do_not_bend_rows_that_are_folded_in():
    X, full = problem(m=80)
    rng = np.random.default_rng(0)
    X[rng.random(X.shape) < 0.1] += 100.0
    seen = ~np.isnan(X)
    model = MatrixCompletion(3, loss="huber", random_state=0, max_iter=1000).fit(X[:60])
    assert model.result_.success
    assert np.allclose(model.transform(X[:60]), model.row_factors_, atol=1e-4)
    assert np.abs(model.predict(X) - full).max() < 1e-3
    assert np.array_equal(model.impute(X)[seen], X[seen])


@pytest.mark.parametrize("scale", [1e250, 1e-250])
@pytest.mark.parametrize("more", [{}, {"center": "biases", "bias_ridge": 0.1, "ridge_mode": "count"}], ids=str)
def test_the_unit_of_the_data_does_not_matter(scale, more):
    X, _ = problem()

    def outcome(unit):
        model = MatrixCompletion(3, random_state=0, ridge=0.1 * unit if more else 0.0, max_iter=5000, **more)
        model.fit(unit * X[:50]).partial_fit(unit * X[50:])
        found = model.predict(unit * X), model.impute(unit * X), model.predict([55, 3], [4, 7])
        return *(x / unit for x in found), model.score(unit * X) / unit

    for one, two in zip(outcome(1.0), outcome(scale), strict=True):
        assert np.allclose(one, two, atol=1e-4)


@pytest.mark.parametrize("center", ["none", "global", "biases"])
def test_a_model_of_rank_zero_serves(center):
    X = np.full((6, 5), 0.0 if center == "none" else 3.0)
    X[0, 0] = np.nan
    model = MatrixCompletion(center=center, ridge=1e-3, random_state=0).fit(X)
    assert model.rank_ == 0 and model.transform(X).shape == (6, 0)
    assert np.allclose(model.impute(X), X[1, 1]) and model.partial_fit(X).row_factors_.shape == (12, 0)


def test_weights_are_named_as_they_were_given():
    X, _ = problem()
    model = MatrixCompletion(3, random_state=0).fit(X)
    for weight, match in ((-1.0, r"\[0, 0\] is -1"), (np.nan, r"\[0, 0\] is nan"), (0.0, " is 0 everywhere")):
        for call in (model.fit, model.partial_fit):
            with pytest.raises(InvalidInputError, match="entry_weight" + match):
                call(X, entry_weight=np.full(X.shape, weight))


def test_diagonals_keep_their_zeros():
    X = sp.dia_array((np.array([[1.0, 0.0, 3.0, 4.0], [9.0, 5.0, 2.0, 7.0]]), [0, 1]), shape=(4, 4))
    model = MatrixCompletion(1, ridge=0.1, random_state=0).fit(X, entry_weight=np.ones(7))
    assert model.result_.min_count == 1 and model.transform(X).shape == (4, 1)
    assert round(model.result_.oversampling * 7) == 7


def test_vectors_of_other_libraries_are_refused_by_name():
    with pytest.raises(InvalidInputError, match=r"X has shape \(4,\): a matrix"):
        MatrixCompletion(1).fit(array_api_strict.ones(4))


def test_factors_that_a_ridge_has_crushed_give_numbers():
    X, _ = problem()
    for dtype in ("float32", "float64"):
        model = MatrixCompletion(3, center="global", ridge=10.0, ridge_mode="count", random_state=0)
        found = model.fit(X.astype(dtype)).predict(X.astype(dtype))
        assert np.allclose(found, model.mean_, atol=1e-3)


@pytest.mark.parametrize("mode", ["constant", "count"])
def test_rows_are_folded_in_with_the_ridge_and_the_weights_of_the_fit(mode):
    X, _ = problem()
    w = 5 + np.random.default_rng(0).random(X.shape)
    model = MatrixCompletion(3, center="biases", ridge=0.3, ridge_mode=mode, tol=1e-9, max_iter=20000, random_state=0)
    model.fit(X, entry_weight=w)
    again = clone(model).fit(X, entry_weight=w).partial_fit(X, entry_weight=w, rows=np.arange(60))
    assert np.allclose(again.row_factors_, model.row_factors_, atol=1e-5)
    assert np.allclose(again.row_bias_, model.row_bias_, atol=1e-5)
