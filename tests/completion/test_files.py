"""Entries in files: the same completion as in memory, a few rows at a time."""

import numpy as np
import pytest
from scipy.sparse import coo_array, csr_array

import numopt
from numopt.completion import complete_files
from numopt.exceptions import InvalidInputError, InvalidTypeError
from tests.completion.instances import error, haar


def forms(X, folder=None):
    rows, columns, values, shape = X
    found = []
    for name, (i, j, size) in {"r": (rows, columns, shape), "c": (columns, rows, shape[::-1])}.items():
        S = csr_array(coo_array((values, (i, j)), shape=size))
        arrays = S.data, S.indices.astype(np.int32), S.indptr
        if folder is not None:
            for what, x in zip("vip", arrays, strict=True):
                np.save(folder / f"{name}{what}.npy", x)
            arrays = tuple(np.load(folder / f"{name}{what}.npy", mmap_mode="r") for what in "vip")
        found.append(arrays)
    return found


@pytest.mark.parametrize("flip", [False, True])
def test_parts_do_not_matter(tmp_path, flip):
    (rows, columns, values, (m, n)), full = haar(120, 90, 4, 4, 10)
    X, full = ((columns, rows, values, (n, m)), full.T) if flip else ((rows, columns, values, (m, n)), full)
    results = [
        complete_files(*forms(X, tmp_path), 4, tol=1e-9, rng=0, entries_at_once=count) for count in (1, 500, 10**6)
    ]
    assert all(r.success and error(r, full) < 1e-7 for r in results)
    assert all(np.abs(r.to_dense() - results[0].to_dense()).max() < 1e-6 for r in results[1:])


def test_single_precision_and_threads():
    (rows, columns, values, shape), full = haar(150, 150, 3, 6)
    X = rows, columns, values.astype(np.float32), shape
    found = []
    for number in (1, 2):
        with numopt.threads(number):
            found.append(complete_files(*forms(X), 3, tol=1e-5, rng=0, entries_at_once=1000))
    assert found[0].U.dtype == np.float32 and found[0].success and error(found[0], full) < 1e-3
    assert np.array_equal(found[0].U, found[1].U) and np.array_equal(found[0].V, found[1].V)


@pytest.mark.parametrize(("scale", "dtype"), [(1e300, "float64"), (1e-300, "float64"), (1e25, "f4"), (1e-25, "f4")])
def test_the_unit_of_the_data_does_not_matter(scale, dtype):
    (rows, columns, values, shape), full = haar(60, 50, 2, 6)
    scaled = rows, columns, (scale * values).astype(dtype), shape
    result = complete_files(*forms(scaled), 2, tol=1e-5, rng=0)
    assert result.success and np.abs(result.to_dense() / scale - full).max() < 1e-3


def test_data_may_be_all_zero():
    X, _ = haar(60, 50, 2, 6)
    zero = complete_files(*((0 * y, i, p) for y, i, p in forms(X)), 2, rng=0, entries_at_once=10**30)
    assert zero.success and zero.rank == 0 and not zero.to_dense().any()


def test_what_is_not_determined_is_no_success():
    (rows, columns, values, shape), _ = haar(60, 60, 2, 8)
    apart = (rows < 30) == (columns < 30)
    X = rows[apart], columns[apart], values[apart], shape
    result = complete_files(*forms(X), 2, rng=0, on_failure="ignore")
    assert not result.success and "not unique" in result.message


def test_bad_files_are_named():
    X, _ = haar(30, 20, 2, 4)
    (y, i, p), columns = forms(X)
    wrong = y.copy()
    wrong[3] = np.nan
    far = i.copy()
    far[5] = 20
    swapped, twice = i.copy(), i.copy()
    swapped[:2], twice[1] = i[:2][::-1], i[0]
    for rows, other, match in [
        ((y, i), columns, "rows is no tuple"),
        ((y, i.astype(np.int64), p), columns, "indices of rows is no vector of int32"),
        ((y.astype(np.int64), i, p), columns, "data of rows is no vector of float32 or float64"),
        ((y[:-1], i, p), columns, "indptr of rows must rise"),
        ((y, i, p[::-1]), columns, "indptr of rows must rise"),
        ((wrong, i, p), columns, "entry 3 of rows is nan"),
        ((y, far, p), columns, "entry 5 of rows is .* at index 20"),
        ((2 * y, i, p), columns, "two forms of one matrix"),
        ((y.astype(np.float32), i, p), columns, "data of rows is float32 and of columns float64"),
        ((np.ma.array(y, mask=y > 1), i, p), columns, r"data of rows\[.* is masked"),
        ((y, i, p.astype(float)), columns, "indptr of rows has dtype float64: integers"),
        ((y, i, None), columns, "indptr of rows has dtype object"),
        ((1.7e308 * np.sign(y), i, p), columns, "singular values overflow"),
        ((y, swapped, p), columns, "entry 1 of rows is at index .* not behind"),
        ((y, twice, p), columns, "entry 1 of rows is at index .* each once"),
    ]:
        with pytest.raises(InvalidInputError, match=match):
            complete_files(rows, other, 2)
    square, _ = haar(20, 20, 2, 4)
    rows, _ = forms(square)
    with pytest.raises(InvalidInputError, match="or other places: two forms"):
        complete_files(rows, rows, 2, entries_at_once=7)
    with pytest.raises(InvalidInputError, match="rank is 21"):
        complete_files((y, i, p), columns, 21)
    with pytest.raises(InvalidInputError, match="entries_at_once is 0"):
        complete_files((y, i, p), columns, 2, entries_at_once=0)


def test_other_places_of_the_same_numbers_are_told():
    """As many entries in each row and column, and the same norm: a full matrix beside its transpose, two swapped."""
    square = np.random.default_rng(0).standard_normal((12, 12))
    places = np.tile(np.arange(12, dtype=np.int32), 12), 12 * np.arange(13)
    full = tuple((x.ravel(), *places) for x in (square, square.T))
    assert complete_files(*full, 12, rng=0, entries_at_once=50).success
    swapped = full[1][0].copy()
    swapped[[3, 4]] = swapped[[4, 3]]
    for columns in (full[0], (swapped, *full[1][1:])):
        with pytest.raises(InvalidInputError, match="or other places: two forms"):
            complete_files(full[0], columns, 2)


def test_a_run_goes_on_from_an_earlier_result():
    X, _ = haar(120, 90, 4, 4, 10)
    for given in (forms(X), forms(X)[::-1]):
        rough = complete_files(*given, 4, tol=1e-3, rng=0)
        fine = complete_files(*given, tol=1e-10, init=rough)
        assert fine.success and fine.rank == 4 and fine.n_als == 0 and fine.n_gn <= 4
    with pytest.raises(InvalidInputError, match="init has factors of shape"):
        complete_files(*forms(haar(30, 20, 2, 4)[0]), init=rough)
    with pytest.raises(InvalidTypeError, match="init is str: a CompletionResult"):
        complete_files(*given, init="spectral")
