"""Validation: clean arrays out, one transfer, messages with argument, index, value and remedy."""

import numpy as np
import pytest
import scipy.sparse

from numopt._check import Checks, controls, integer, lone_vector, one_of, positive_scalar, scalar
from numopt.exceptions import InvalidInputError, InvalidTypeError


def test_clean_arrays_and_their_extents(xp, transfers):
    checks = Checks(
        {
            "a": xp.asarray([0.25, 0.75], "float32"),
            "C": xp.asarray([[1, 2, 3], [4, 5, 6]], "float32"),
            "init": None,
        }
    )
    a, C = checks.weights("a"), checks.matrix("C", shape=(2, None))
    extents = checks.settle()
    assert xp.owns(a) and xp.owns(C) and a.dtype == C.dtype == checks.dtype == xp.xp.float32
    assert extents["a"] == (0.25, 0.75, 1.0) and extents["C"][:2] == (1.0, 6.0)
    assert len(transfers) <= 1


def test_lists_integers_and_fortran_order_become_clean():
    checks = Checks({"x": [1, 2, 3], "A": np.asfortranarray(np.ones((2, 3), int))})
    x, A = checks.vector("x"), checks.matrix("A")
    assert x.dtype == A.dtype == np.float64 and A.flags.c_contiguous


def test_a_dtype_can_be_asked_for():
    checks = Checks({"x": [1.0]}, dtype=np.float32)
    assert checks.vector("x").dtype == np.float32


def check_vector(x, **options):
    checks = Checks({"x": x})
    clean = checks.vector("x", **options)
    checks.settle()
    return clean


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nonfinite_entries_are_named(xp, bad):
    with pytest.raises(InvalidInputError, match=rf"x\[2\] is {bad}: a finite number is expected; remove"):
        check_vector(xp.asarray([0.0, 1.0, bad, bad]))


def test_bounds_are_named(xp):
    with pytest.raises(
        InvalidInputError, match=r"x\[1\] is -3.0: a finite number >= -1 and <= 1 is expected; clip"
    ):
        check_vector(xp.asarray([0.0, -3.0]), low=-1, high=1, remedy="clip it")
    with pytest.raises(InvalidInputError, match=r"x\[0\] is 2.0"):
        check_vector(xp.asarray([2.0]), high=1)


def test_weights(xp):
    def check(x):
        checks = Checks({"a": xp.asarray(x)})
        checks.weights("a")
        checks.settle()

    check([0.0, 1.0])
    with pytest.raises(
        InvalidInputError, match=r"a\[1\] is -0.5: a finite number >= 0.0 is expected; weights"
    ):
        check([1.0, -0.5])
    with pytest.raises(InvalidInputError, match=r"a sums to 0.0: .* at least one weight must be positive"):
        check([0.0, 0.0])
    with pytest.raises(InvalidInputError, match=r"a sums to inf: .*"):
        check([1e308, 1e308])
    with pytest.raises(InvalidInputError, match=r"a sums to 1e-308: at least 2e-302 .*; multiply"):
        check([5e-309, 5e-309])


def test_matrix_may_hold_plus_infinity(xp):
    def check(C, **options):
        checks = Checks({"C": xp.asarray(C)})
        checks.matrix("C", **options)
        return checks.settle()["C"]

    assert check([[0.0, np.inf]], posinf=True).high == np.inf
    with pytest.raises(InvalidInputError, match=r"C\[0, 1\] is inf"):
        check([[0.0, np.inf]])
    for bad in (np.nan, -np.inf):
        with pytest.raises(
            InvalidInputError, match=rf"C\[1, 0\] is {bad}: a finite number or \+inf is expected"
        ):
            check([[0.0, np.inf], [bad, 1.0]], posinf=True)


def test_csr():
    checks = Checks({"A": scipy.sparse.coo_array(np.array([[0.0, 2.0], [np.nan, 0.0]]))})
    assert isinstance(checks.csr("A", shape=(2, 2)), scipy.sparse.csr_array)
    with pytest.raises(InvalidInputError, match=r"A\[1, 0\] is nan"):
        checks.settle()
    empty = Checks({"A": scipy.sparse.csr_array((3, 3))})
    empty.csr("A")
    empty.settle()  # no entry, nothing wrong


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: Checks({"x": [[1.0]]}).vector("x"), InvalidInputError, r"x has shape \(1, 1\): a vector"),
        (lambda: Checks({"x": [1.0]}).vector("x", size=2), InvalidInputError, r"x has shape \(1,\): .*\(2\)"),
        (
            lambda: Checks({"x": []}).vector("x"),
            InvalidInputError,
            r"x has shape \(0,\): .* must not be empty",
        ),
        (
            lambda: Checks({"C": np.ones((2, 3))}).matrix("C", shape=(2, 2)),
            InvalidInputError,
            r"C has shape \(2, 3\)",
        ),
        (lambda: Checks({"C": [[1.0], [1.0, 2.0]]}), InvalidInputError, "C is no rectangular array"),
        (lambda: Checks({"x": [1j]}), InvalidTypeError, "x has dtype complex128"),
        (lambda: Checks({"x": "word"}), InvalidTypeError, "x has dtype <U4"),
        (lambda: Checks({"C": scipy.sparse.eye_array(2)}).matrix("C"), InvalidTypeError, "C is sparse"),
        (lambda: Checks({"A": np.eye(2)}).csr("A"), InvalidTypeError, "A is ndarray: a sparse array"),
    ],
)
def test_shapes_and_kinds(make, error, match):
    with pytest.raises(error, match=match):
        make()


def test_two_devices_are_refused_by_name(strict):
    one, two = (strict.Device(f"device{i}") for i in (1, 2))
    with pytest.raises(InvalidTypeError, match=r"x is on .*device1.* and y on .*device2"):
        Checks({"x": strict.ones(1, device=one), "y": strict.ones(1, device=two)})


def test_scalars():
    assert scalar("t", np.float32(2)) == 2.0 and type(scalar("t", 3)) is float
    assert positive_scalar("reg", 1e-3) == 1e-3 and integer("k", np.int64(4), low=1) == 4
    assert one_of("method", "auto", ("auto", "sns")) == "auto"
    controls(tol=0, max_iter=1, max_time=0.0, callback=print, on_failure="raise")


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (
            lambda: positive_scalar("reg", 0.0),
            InvalidInputError,
            r"reg is 0.0: a finite number > 0.0 is expected; pass",
        ),
        (lambda: positive_scalar("reg", np.nan), InvalidInputError, "reg is nan"),
        (lambda: positive_scalar("reg", "x"), InvalidTypeError, "reg is 'x': a real number"),
        (lambda: positive_scalar("reg", True), InvalidTypeError, "reg is True"),
        (lambda: scalar("t", 3, high=2), InvalidInputError, "t is 3: a finite number <= 2"),
        (lambda: scalar("t", 10**400), InvalidInputError, "t is inf: a finite number"),
        (lambda: scalar("t", -(10**5000)), InvalidInputError, "t is -inf: a finite number"),
        (lambda: integer("k", 0, low=1, high=5), InvalidInputError, "k is 0: an integer >= 1 and <= 5"),
        (lambda: integer("k", 1.0), InvalidTypeError, "k is 1.0: an integer"),
        (lambda: one_of("method", "x", ("a", "b")), InvalidInputError, "method is 'x': one of 'a', 'b'"),
        (lambda: one_of("method", np.ones(2), ("a",)), InvalidInputError, "method is array"),
    ],
)
def test_bad_scalars(make, error, match):
    with pytest.raises(error, match=match):
        make()


def test_an_array_that_is_left_out_is_named():
    with pytest.raises(InvalidTypeError, match="a is None: an array is expected"):
        Checks({"a": None})
    checks = Checks({"a": None, "b": [1.0]})
    with pytest.raises(InvalidTypeError, match="a is None: an array is expected"):
        checks.weights("a")
    with pytest.raises(InvalidTypeError, match="A is None: an array is expected"):
        checks.csr("A")


@pytest.mark.parametrize("x", [np.arange(3.0), np.arange(6.0)[::2], [1, 2], np.ones(2, np.float32)])
def test_a_lone_vector_is_what_checks_make_of_it(x):
    checks = Checks({"x": x})
    expected = checks.vector("x")
    checks.settle()
    vector, xp, device, dtype = lone_vector("x", x)
    assert (xp, device, dtype) == (checks.xp, checks.device, checks.dtype)
    assert vector.dtype == expected.dtype and vector.flags.c_contiguous and (vector == expected).all()


@pytest.mark.parametrize("x", [[1.0, np.nan], np.array([np.inf]), np.ones((2, 2)), np.empty(0)])
def test_a_lone_vector_may_be_refused(x):
    with pytest.raises(InvalidInputError, match="x"):
        lone_vector("x", x)
