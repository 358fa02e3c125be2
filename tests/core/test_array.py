"""The door to arrays: libraries, devices, dtypes, transfers, copies, randomness."""

from typing import NamedTuple

import numpy as np
import pytest
import scipy.sparse

from numopt import _array
from numopt.exceptions import InvalidInputError, InvalidTypeError


def test_namespace_and_device_follow_the_arrays(xp):
    x = xp.asarray([1.0, 2.0])
    assert _array.namespace(x, None, 3.0, np.float64(2), x) is xp.xp
    assert _array.device(x) == xp.device


@pytest.mark.parametrize("x", [[1, 2], (1.0,), np.arange(3), scipy.sparse.eye_array(3), None, 2.5, "word"])
def test_the_rest_counts_as_numpy(x):
    assert _array.is_numpy(_array.namespace(x)) and _array.device(x) == "cpu"


def test_mixed_libraries_are_refused_by_name(strict):
    x = strict.asarray([1.0])
    with pytest.raises(InvalidTypeError, match=r"cost is a numpy array and b is a array_api_strict array"):
        _array.namespace(cost=[1.0], b=x)
    with pytest.raises(TypeError, match=r"array 0 .* array 1"):
        _array.namespace(scipy.sparse.eye_array(2), x)


@pytest.mark.parametrize(
    ("dtypes", "expected"),
    [
        (["float32", "float32"], "float32"),
        (["float32", "float64"], "float64"),
        (["float32", "int32"], "float64"),
        (["bool"], "float64"),
        ([], "float64"),
    ],
)
def test_float_dtype(xp, dtypes, expected):
    arrays = [xp.asarray([1, 0], dtype) for dtype in dtypes]
    assert _array.float_dtype(xp.xp, *arrays, None) == getattr(xp.xp, expected)


@pytest.mark.parametrize(
    "dtype", ["float16", "complex64", "complex128", object, "U3", "datetime64[s]", "longdouble"]
)
def test_other_dtypes_are_refused_by_name(dtype):
    with pytest.raises(InvalidTypeError, match=r"weights has dtype .* float32 or float64"):
        _array.float_dtype(np, weights=np.zeros(2, dtype=dtype))


@pytest.mark.parametrize("given", [None, len, object])
def test_what_is_no_array_is_told_by_its_type(given):
    with pytest.raises(InvalidTypeError, match=f"x is {type(given).__name__}: an array of numbers is expected"):
        _array.float_dtype(np, x=np.asarray(given))


def test_host_returns_floats_and_numpy_arrays(xp):
    x = xp.asarray([1.0, 2.0, 3.0])
    total, again, plain, array = _array.host(xp.xp.sum(x), x[1], np.float32(4), x)
    assert (total, again, plain) == (6.0, 2.0, 4.0) and all(type(v) is float for v in (total, again, plain))
    assert type(array) is np.ndarray and array.tolist() == [1.0, 2.0, 3.0]
    assert type(_array.host(x[0])) is float and _array.host() == ()


def test_host_takes_all_scalars_in_one_transfer(xp, transfers):
    x = xp.asarray([1.0, 2.0, 3.0])
    assert _array.host(x[0], x[1] > 5.0, 2, xp.xp.argmax(x)) == (1.0, 0.0, 2.0, 2.0)
    assert len(transfers) == (1 if xp.name in ("strict", "cupy") else 0)


def test_the_trap_catches_hidden_reads(xp):
    x = xp.asarray([1.0])[0]
    if xp.name == "strict":
        for read in (bool, float, int):
            with pytest.raises(AssertionError, match="hidden device read"):
                read(x)
    assert _array.host(x) == 1.0


def test_like_moves_and_casts_and_copies_no_more_than_needed(xp):
    moved = _array.like(xp.xp, [1, 2], xp.device, xp.xp.float32)
    assert xp.owns(moved) and moved.dtype == xp.xp.float32
    assert xp.owns(_array.like(xp.xp, moved, xp.device, xp.xp.float64))
    if xp.name == "numpy":
        x = np.ones(3)
        assert _array.like(xp.xp, x, "cpu", np.float64) is x
        assert _array.like(xp.xp, np.ones((3, 2)).T, "cpu", np.float64).flags.c_contiguous


class _Pair(NamedTuple):
    x: object
    n: int


def test_copied_copies_arrays_in_containers(xp):
    x = xp.asarray([1.0, 2.0])
    pair, [listed], named = _array.copied((_Pair(x, 3), [x], {"x": x}))
    assert type(pair) is _Pair and pair.n == 3
    for copy in (pair.x, listed, named["x"]):
        assert xp.owns(copy) and copy is not x
        assert xp.to_numpy(copy).tolist() == [1.0, 2.0]
        if xp.name == "numpy":
            assert not np.shares_memory(copy, x)


def test_copied_copies_sparse_and_shares_the_rest():
    A = scipy.sparse.eye_array(3, format="csr")
    assert not np.shares_memory(_array.copied(A).data, A.data)
    assert _array.copied(None) is None and _array.copied("word") == "word"


def test_cholesky_is_nan_where_there_is_no_factor(xp):
    A = np.array([[2.0, 1.0], [1.0, 2.0]])
    L = xp.to_numpy(_array.cholesky(xp.asarray(A)))
    np.testing.assert_allclose(L @ L.T, A)
    assert np.isnan(xp.to_numpy(_array.cholesky(xp.asarray(-A)))).all()


def test_a_lack_of_memory_is_not_taken_for_a_lack_of_a_factor(monkeypatch):
    def greedy(A):
        raise MemoryError("mine")

    monkeypatch.setattr(_array._NUMPY.linalg, "cholesky", greedy)
    with pytest.raises(MemoryError, match="mine"):
        _array.cholesky(np.eye(2))


def test_default_rng():
    assert _array.default_rng(3).random() == _array.default_rng(np.int64(3)).random()
    rng = np.random.default_rng(0)
    assert _array.default_rng(rng) is rng
    assert _array.default_rng(np.random.SeedSequence(3)).random() == _array.default_rng(3).random()
    assert _array.default_rng().random() != _array.default_rng().random()


@pytest.mark.parametrize("rng", [1.5, "seed", True, np.random.RandomState(0), [1, 2]])
def test_default_rng_refuses_the_rest(rng):
    with pytest.raises(InvalidTypeError, match="rng is"):
        _array.default_rng(rng)


def test_default_rng_refuses_negative_seeds():
    with pytest.raises(InvalidInputError, match="rng is -1"):
        _array.default_rng(-1)
