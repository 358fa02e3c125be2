"""Bad input to the solvers: the argument, the index, the remedy."""

import numpy as np
import pytest
import scipy.sparse as sparse

from numopt.exceptions import InvalidInputError, InvalidTypeError
from numopt.gallery import laplacian_2d
from numopt.relax import relax_plan, sor, ssor_pcg

A, b = laplacian_2d(3), np.arange(9.0)


def changed(i, j, value):
    B = A.tolil()
    B[i, j] = value
    return sparse.csr_array(B)


def stored(i, j, value):
    B = A.copy()
    row = slice(B.indptr[i], B.indptr[i + 1])
    B.data[row][B.indices[row] == j] = value
    return B


BAD = [
    ({"A": A[:4]}, r"A has shape \(4, 9\): a square matrix"),
    ({"A": A.toarray()[0]}, r"A has shape \(9,\)"),
    ({"A": stored(0, 1, np.nan)}, r"A\[0, 1\] is nan"),
    ({"A": stored(2, 2, np.inf)}, r"A\[2, 2\] is inf"),
    ({"A": stored(4, 4, 0.0)}, r"A\[4, 4\] is 0: a non-zero diagonal.*row 4"),
    ({"A": changed(6, 6, 0)}, r"A\[6, 6\] is missing.*row 6"),
    ({"b": b[:4]}, r"b has shape \(4,\)"),
    ({"b": np.ones((1, 9))}, r"b has shape \(1, 9\): .* \(9, any\) is expected"),
    ({"b": np.ones((9, 0))}, r"b has shape \(9, 0\)"),
    ({"b": np.where(b == 3, np.nan, b)}, r"b\[3\] is nan"),
    ({"b": np.where(b == 2, np.inf, b)}, r"b\[2\] is inf"),
    ({"b": np.full(9, 1e200)}, r"b\[0\] is 1e\+200.*rescale"),
    ({"b": 1e-150 * b}, r"b is at most 8e-150.*rescale"),
    ({"b": 1e-300 * b}, r"b is at most 8e-300.*rescale"),
    ({"A": np.ma.array(A.toarray(), mask=np.eye(9))}, r"A\[0, 0\] is masked"),
    ({"b": np.ma.array(b, mask=b == 3)}, r"b\[3\] is masked"),
    ({"x0": np.ma.array(b, mask=b == 3)}, r"x0\[3\] is masked"),
    ({"ordering": np.ma.array(np.arange(9), mask=b == 3)}, r"ordering\[3\] is masked"),
    ({"x0": b[:4]}, r"x0 has shape \(4,\)"),
    ({"x0": np.where(b == 8, -np.inf, b)}, r"x0\[8\] is -inf"),
    ({"omega": 0.0}, "omega is 0"),
    ({"omega": 2.0}, "omega is 2"),
    ({"omega": 2 - 1e-12}, "omega is 1.9999"),
    ({"omega": np.nan}, "omega is nan"),
    ({"rtol": -1.0}, "rtol is -1"),
    ({"atol": np.nan}, "atol is nan"),
    ({"rtol": 0.0}, "rtol is 0 and atol is 0"),
    ({"ref": "r1"}, "ref is 'r1'"),
    ({"ordering": "best"}, "ordering is 'best'"),
    ({"ordering": [0] * 9}, "ordering is list of shape"),
    ({"plan": relax_plan(laplacian_2d(4))}, "plan is for 16 rows"),
    ({"maxiter": 0}, "max_iter is 0"),
    ({"A": sparse.csr_array((0, 0)), "b": np.ones(0)}, r"A has shape \(0, 0\): .* must not be empty"),
    ({"A": np.ones((0, 0)), "b": np.ones(0)}, r"A has shape \(0, 0\): .* must not be empty"),
    ({"x0": np.full(9, 1e200), "ref": "r0"}, "x0 has a residual whose square is no number"),
]

WRONG = [
    ({"A": A.astype(complex)}, "A has dtype complex128"),
    ({"b": b.astype(complex)}, "b has dtype complex128"),
    ({"omega": "best"}, "omega is 'best'"),
    ({"A": None}, "A is None: an array is expected"),
    ({"b": None}, "b is None: an array is expected"),
    ({"plan": A}, "plan is csr_array: a RelaxPlan"),
    ({"max_iter": 2.5}, "max_iter is 2.5"),
    ({"check_every": "often"}, "check_every is 'often'"),
    ({"check_every": None}, "check_every is None"),
    ({"omega": np.ones(9)}, "omega is array"),
]


@pytest.mark.parametrize("solve", [sor, ssor_pcg])
@pytest.mark.parametrize(("arguments", "match"), BAD, ids=[m for _, m in BAD])
def test_bad_values(solve, arguments, match):
    with pytest.raises(InvalidInputError, match=match):
        solve(**{"A": A, "b": b} | arguments)


@pytest.mark.parametrize("solve", [sor, ssor_pcg])
@pytest.mark.parametrize(("arguments", "match"), BAD, ids=[m for _, m in BAD])
def test_bad_values_are_seen_with_a_plan_too(solve, arguments, match):
    """With a plan, plain input takes a shorter way."""
    if {"plan", "ordering"} & set(arguments) or arguments.get("A", A).shape != A.shape or "missing" in match:
        pytest.skip("about the plan itself")
    with pytest.raises(InvalidInputError, match=match):
        solve(**{"A": A, "b": b, "plan": relax_plan(A)} | arguments)


@pytest.mark.parametrize("solve", [sor, ssor_pcg])
@pytest.mark.parametrize(("arguments", "match"), WRONG, ids=[m for _, m in WRONG])
def test_bad_types(solve, arguments, match):
    with pytest.raises(InvalidTypeError, match=match):
        solve(**{"A": A, "b": b} | arguments)


@pytest.mark.parametrize(("solve", "name"), [(sor, "symmetric"), (ssor_pcg, "assume_symmetric")])
def test_promises_are_true_or_false(solve, name):
    with pytest.raises(InvalidTypeError, match=f"{name} is 'no': True or False"):
        solve(A, b, **{name: "no"})


@pytest.mark.parametrize("solve", [sor, ssor_pcg])
@pytest.mark.parametrize("name", ["rtol", "atol"])
def test_a_tolerance_may_be_as_large_as_a_number(solve, name):
    assert solve(A, b, **{name: 1e300}).success
