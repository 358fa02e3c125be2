"""Every row of the table of bad and degenerate input that is refused: the argument, the index, the remedy."""

from functools import partial

import array_api_strict
import numpy as np
import pytest
from scipy.sparse import csr_array

from numopt.exceptions import InvalidInputError, InvalidTypeError
from numopt.ot import partial_transport, sinkhorn_newton, sparse_plan, unbalanced_sinkhorn_newton
from tests.ot.measure import squares

METHODS = ["auto", "sns", "sinkhorn"]


def put(x, index, value):
    x = np.array(x, dtype=float)
    x[index] = value
    return x


def call(**changes):
    """Solve a small problem with changed arguments; functions change the arrays they are given for."""
    given = dict(zip("abC", squares(4, 5), strict=True)) | {"reg": 0.1}
    for name, change in changes.items():
        given[name] = change(given[name]) if name in "abC" and callable(change) else change
    return sinkhorn_newton(**given)


SHAPES = [
    ({"a": lambda a: a[:3]}, r"C has shape \(4, 5\).*\(3, 5\)"),
    ({"b": lambda b: b[:3]}, r"C has shape \(4, 5\).*\(4, 3\)"),
    ({"C": lambda C: C.T}, r"C has shape \(5, 4\).*\(4, 5\)"),
    ({"C": lambda C: C[0]}, r"C has shape \(5,\)"),
    ({"C": lambda C: C[None]}, r"C has shape \(1, 4, 5\)"),
    ({"a": lambda a: a[:, None]}, r"a has shape \(4, 1\)"),
    ({"a": 1.0}, r"a has shape \(\)"),
    ({"a": []}, r"a has shape \(0,\).*empty"),
    ({"b": []}, r"b has shape \(0,\).*empty"),
    ({"C": [[1.0, 2.0], [3.0]]}, "C is no rectangular array"),
]

VALUES = [
    ({"a": lambda a: put(a, 2, np.nan)}, r"a\[2\] is nan"),
    ({"a": lambda a: put(a, 2, np.inf)}, r"a\[2\] is inf"),
    ({"b": lambda b: put(b, 0, -np.inf)}, r"b\[0\] is -inf"),
    ({"b": lambda b: put(b, 4, -1e-30)}, r"b\[4\] is -1e-30"),
    ({"C": lambda C: put(C, (2, 3), np.nan)}, r"C\[2, 3\] is nan"),
    ({"C": lambda C: put(C, (0, 0), -np.inf)}, r"C\[0, 0\] is -inf"),
    ({"C": lambda C: np.asfortranarray(put(C, (2, 3), np.nan))}, r"C\[2, 3\] is nan"),
    ({"C": lambda C: put(C, 2, np.inf)}, r"C\[2\] is \+inf in the whole row"),
    ({"C": lambda C: put(C, (slice(None), 3), np.inf)}, r"C\[:, 3\] is \+inf in the whole column"),
    ({"C": lambda C: np.asfortranarray(put(C, 2, np.inf))}, r"C\[2\] is \+inf in the whole row"),
    ({"C": lambda C: put(C, slice(None), np.inf)}, r"is \+inf in the whole"),
    ({"C": lambda C: put(C, (0, 0), 1.7e308)}, "C has a range of 1.7e"),
    ({"C": lambda C: 1e16 + C}, r"C has entries of 1e\+16 and reg is 0.1: .* subtract"),
    ({"C": lambda C: 0 * C + 1e200}, r"C has entries of 1e\+200 and reg is 0.1"),
    ({"C": lambda C: 0 * C - 1e308}, "C has entries of"),
    ({"C": lambda C: 1e-310 * C, "reg": 1e-311}, r"reg is 1e-311: at least 8.9e-308 .* multiply C and reg"),
    ({"reg": 1e308}, r"reg is 1e\+308, C has entries of .* and the mass is 1: .* rescale"),
    ({"a": lambda a: 1e306 * a, "b": lambda b: 1e306 * b}, r"the mass is 1e\+306"),
    ({"a": lambda a: 1e-310 * a, "b": lambda b: 1e-310 * b}, "a sums to 1e-310: at least"),
    ({"C": lambda C: put(put(C, (0, 0), 1.7e308), (1, 1), -1.7e308)}, "C has a range of"),
    ({"a": lambda a: 0 * a}, "a sums to 0"),
    ({"b": lambda b: 0 * b}, "b sums to 0"),
    ({"a": lambda a: 2 * a}, r"a sums to 2(\.0*)? and b to 1.*normalise"),
    ({"b": lambda b: b * (1 + 2e-6)}, "equal masses are expected"),
]

SCALARS = [
    ({"reg": 0}, "reg is 0"),
    ({"reg": -1.0}, "reg is -1"),
    ({"reg": np.nan}, "reg is nan"),
    ({"reg": np.inf}, "reg is inf"),
    ({"reg": 10**400}, "reg is inf"),
    ({"reg": "0.1"}, "reg is '0.1'"),
    ({"reg": None}, "reg is None"),
    ({"reg": True}, "reg is True"),
    ({"reg": 1e-16}, r"reg is 1e-16: at least .* raise it"),
    ({"reg_relative": "yes"}, "reg_relative is 'yes': True or False"),
    ({"cost": "l2"}, "cost is 'l2': one of 'sqeuclidean'"),
    ({"method": "newton"}, "method is 'newton': one of 'auto'"),
    ({"tol": -1.0}, "tol is -1"),
    ({"tol": np.nan}, "tol is nan"),
    ({"tol": np.inf}, "tol is inf"),
    ({"tol": "small"}, "tol is 'small'"),
    ({"max_iter": 0}, "max_iter is 0"),
    ({"max_iter": 2.5}, "max_iter is 2.5"),
    ({"max_time": -1.0}, "max_time is -1"),
    ({"check_every": 0}, "check_every is 0"),
    ({"callback": 3}, "callback is 3"),
    ({"on_failure": "cry"}, "on_failure is 'cry'"),
    ({"method": "sns", "n_sinkhorn": -1}, "n_sinkhorn is -1"),
    ({"method": "sns", "n_sinkhorn": 2.5}, "n_sinkhorn is 2.5"),
    ({"method": "sns", "density": 0}, "density is 0"),
    ({"method": "sns", "density": -1.0}, "density is -1"),
    ({"method": "sns", "density": np.nan}, "density is nan"),
    ({"method": "sns", "density": "4"}, "density is '4'"),
    ({"init": np.full(5, np.nan)}, r"init\[0\] is nan"),
    ({"init": np.zeros(4)}, r"init has shape \(4,\)"),
    ({"init": "cold"}, "init"),
]

TYPES = [
    ({"a": lambda a: a.astype(complex)}, "a has dtype complex128"),
    ({"C": lambda C: C.astype(np.float16)}, "C has dtype float16"),
    ({"C": lambda C: C.astype(object)}, "C has dtype object"),
    ({"b": ["x"] * 5}, "b has dtype"),
    ({"C": lambda C: array_api_strict.asarray(C)}, "C is a .* array"),
]


@pytest.mark.parametrize(("changes", "message"), SHAPES + VALUES + SCALARS + TYPES)
def test_refused(changes, message):
    with pytest.raises((InvalidInputError, InvalidTypeError), match=message) as caught:
        call(**changes)
    assert ";" in str(caught.value)  # what was found: what is expected; what to do


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("changes", [c for c, _ in VALUES])
def test_refused_by_every_method(method, changes):
    with pytest.raises(InvalidInputError):
        call(method=method, **changes)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("value", [np.nan, -np.inf])
@pytest.mark.parametrize(("i", "j"), [(2, 3), (0, 1), (3, 4)])
def test_bad_costs_of_points_without_weight_are_refused_too(i, j, value, order):
    a, b, C = squares(4, 5)
    a[2], b[1] = 0.0, 1e-20
    a, b = a / a.sum(), b / b.sum()
    C = np.array(put(C, (i, j), value), order=order)
    for solve in (
        partial(sinkhorn_newton, reg=0.1),
        partial(unbalanced_sinkhorn_newton, reg=0.1, rho=1.0),
        partial(partial_transport, reg=0.1, mass=0.5),
        partial(sparse_plan, reg=0.1),
    ):
        with pytest.raises(InvalidInputError, match=rf"C\[{i}, {j}\] is {value}"):
            solve(a, b, C)


def test_weights_whose_sum_overflows():
    with pytest.raises(InvalidInputError, match="a sums to inf"):
        call(a=np.full(4, 1e308))


def test_a_sparse_cost_is_refused():
    with pytest.raises(InvalidTypeError, match=r"C is sparse.*toarray"):
        call(C=csr_array)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "none of them"),
        ({"X": np.ones((4, 2))}, "X"),
        ({"Y": np.ones((5, 2))}, "Y"),
        ({"C": np.ones((4, 5)), "X": np.ones((4, 2)), "Y": np.ones((5, 2))}, "C.*X.*Y"),
        ({"C": np.ones((4, 5)), "X": np.ones((4, 2))}, "C.*X"),
        ({"X": np.ones((4, 2)), "Y": np.ones((5, 3))}, r"X has shape \(4, 2\) and Y \(5, 3\)"),
        ({"X": np.ones((3, 2)), "Y": np.ones((5, 2))}, r"X has shape \(3, 2\)"),
        ({"X": np.ones(4), "Y": np.ones((5, 2))}, r"X has shape \(4,\)"),
        ({"X": np.ones((4, 0)), "Y": np.ones((5, 0))}, "empty"),
        ({"X": put(np.ones((4, 2)), (3, 1), np.nan), "Y": np.ones((5, 2))}, r"X\[3, 1\] is nan"),
        ({"X": np.ones((4, 2)), "Y": put(np.ones((5, 2)), (0, 1), np.inf)}, r"Y\[0, 1\] is inf"),
        ({"X": 1e200 * np.eye(4), "Y": np.ones((5, 4))}, r"X and Y spread over 1e\+200: .* rescale X, Y"),
        ({"X": np.ones((4, 1)), "Y": put(np.ones((5, 1)), 3, -1e308)}, r"X and Y spread over 1e\+308"),
        ({"X": np.full((4, 1), 1e9), "Y": np.ones((5, 1))}, "C has entries of .* move X towards Y"),
    ],
)
def test_points(given, message):
    with pytest.raises(InvalidInputError, match=message):
        sinkhorn_newton(np.full(4, 0.25), np.full(5, 0.2), reg=0.1, **given)


@pytest.mark.parametrize("C", [np.zeros((4, 5)), -np.ones((4, 5))])
def test_a_median_that_is_no_scale(C):
    u, v = np.full(4, 0.25), np.full(5, 0.2)
    with pytest.raises(InvalidInputError, match=r"reg_relative.*median"):
        sinkhorn_newton(u, v, C, reg=0.1, reg_relative=True)


def test_nothing_is_written_to_bad_input():
    a, b, C = squares(4, 5)
    C[1, 1] = np.nan
    before = C.tobytes(), a.tobytes()
    with pytest.raises(InvalidInputError):
        sinkhorn_newton(a, b, C, reg=0.1)
    assert (C.tobytes(), a.tobytes()) == before


def test_data_are_positional_and_the_rest_is_not():
    a, b, C = squares(4, 5)
    with pytest.raises(TypeError):
        sinkhorn_newton(a, b, C, 0.1)
    with pytest.raises(TypeError, match="reg"):
        sinkhorn_newton(a, b, C)
    with pytest.raises(TypeError):
        sinkhorn_newton(a, b, C, reg=0.1, eps=0.1)
