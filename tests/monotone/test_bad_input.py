"""Bad input is an error that names the argument, before anything is computed."""

import numpy as np
import pytest

from numopt.exceptions import InvalidInputError, InvalidTypeError, PrecisionWarning
from numopt.monotone import (
    L1,
    Ball,
    BilinearGame,
    BilinearSum,
    Box,
    CournotNash,
    DROLogistic,
    FairClassification,
    FiniteSumOperator,
    LogisticGradient,
    LPPrimalDual,
    Product,
    QuadraticSaddle,
    RobustLeastSquares,
    Simplex,
    Simplices,
    fixed_point,
    linprog_pd,
    matrix_game,
    monotone_root,
    saddle_qp,
)

A, B = np.ones((4, 2)), np.array([0.0, 1.0, 0.0, 1.0])
OP = LogisticGradient(A, B)
HIDDEN = np.ma.array([1.0, 1.0], mask=[1, 0])


class Bare:
    """An operator of one number, with something in the way."""

    n, dim = 1, 1

    def __init__(self, **wrong):
        self.full = lambda z: z
        self.__dict__.update(wrong)


def put(array, index, value):
    array = np.array(array, dtype=float)
    array[index] = value
    return array


@pytest.mark.parametrize("call, message", [
    (lambda: matrix_game(put(A, (1, 1), np.nan)), r"A\[1, 1\] is nan"),
    (lambda: matrix_game(put(A, (3, 0), np.inf)), r"A\[3, 0\] is inf"),
    (lambda: matrix_game(np.empty((0, 3))), "A has shape"),
    (lambda: matrix_game(np.ones(3)), "A has shape"),
    (lambda: linprog_pd([1.0, 1.0], np.empty((0, 2)), [1.0]), r"b_ub has shape \(1,\)"),
    (lambda: linprog_pd([1.0, 1.0], np.empty((2, 0)), [1.0, 1.0]), "A_ub has shape"),
    (lambda: matrix_game([[1.0, 2.0], [3.0]]), "rectangular"),
    (lambda: matrix_game(A, tol=-1.0), "tol is -1"),
    (lambda: matrix_game(A, init=(np.ones(2), np.ones(3))), r"init\[1\] has shape \(3,\)"),
    (lambda: matrix_game(A, init=(np.ones(2), -np.ones(4))), r"init\[1\]\[0\] is -1"),
    (lambda: monotone_root(OP, [np.nan, 0.0]), r"z0\[0\] is nan"),
    (lambda: monotone_root(OP, [0.0]), r"z0 has shape \(1,\)"),
    (lambda: monotone_root(OP, step=-1.0), "step is -1"),
    (lambda: monotone_root(OP, refresh_prob=0.0), "refresh_prob is 0"),
    (lambda: monotone_root(OP, refresh_prob=1.5), "refresh_prob is 1.5"),
    (lambda: monotone_root(OP, batch_size=0), "batch_size is 0"),
    (lambda: monotone_root(OP, law="heavy"), "law is 'heavy'"),
    (lambda: monotone_root(OP, prox=Product([(Box(), 1)])), "prox has parts for 1"),
    (lambda: monotone_root(BilinearGame(A), method="vr-halpern"), "cocoercive"),
    (lambda: monotone_root(OP, method="pdhg"), "bilinear"),
    (lambda: monotone_root(CournotNash(1.0, 1.0, [1.0], [0.0]), method="lsvrg"), "component_lipschitz"),
    (lambda: LogisticGradient(A, B * 2), r"b\[1\] is 2"),
    (lambda: LogisticGradient(A, B[:2]), "b has shape"),
    (lambda: LogisticGradient(put(A, (0, 0), np.nan), B), r"A\[0, 0\] is nan"),
    (lambda: LogisticGradient(A, B, ridge=-1.0), "ridge is -1"),
    (lambda: LogisticGradient(1e-300 * A, B), "A reaches 1e-300: between"),
    (lambda: DROLogistic(1e160 * A, B), r"A reaches 1e\+160: between"),
    (lambda: BilinearGame(np.float32(1e-30) * A.astype(np.float32)), "A reaches 1e-30: between"),
    (lambda: FairClassification(A, B, [0, 1]), "groups has shape"),
    (lambda: RobustLeastSquares(A, B, price=1.0), "price is 1"),
    (lambda: QuadraticSaddle([[1.0, 2.0], [0.0, 1.0]], None, np.ones((3, 2))), "P differs from its transpose"),
    (lambda: QuadraticSaddle(-np.eye(2), None, np.ones((3, 2))), "P has a negative eigenvalue"),
    (lambda: saddle_qp(None, np.diag([1.0, 1.0, -1e-3]), np.ones((3, 2))), "Q has a negative eigenvalue"),
    (lambda: monotone_root(OP, prox=Box([0.0] * 3, 1.0)), r"a bound of a Box has shape \(3,\): \(\) or \(2,\)"),
    (lambda: monotone_root(Bare(full=lambda z: [1.0])), r"op.full returns no vector of shape \(1,\)"),
    (lambda: CournotNash(1.0, 0.0, [1.0], [0.0]), "slope is 0"),
    (lambda: CournotNash(1.0, 1.0, [1.0], [-1.0]), r"d\[0\] is -1"),
    (lambda: Simplex(0.0), "total is 0"),
    (lambda: Box(1.0, 0.0), r"lower\[0\] is 1"),
    (lambda: Box([0.0, 2.0], [1.0, 1.0]), r"lower\[1\] is 2"),
    (lambda: Box(0.0, np.ma.array([1.0, 2.0], mask=[0, 1])), r"upper\[1\] is masked"),
    (lambda: Box(np.nan, 1.0), r"lower\[0\] is nan"),
    (lambda: Ball(-1.0), "radius is -1"),
    (lambda: L1(-1.0), "weight is -1"),
    (lambda: FiniteSumOperator(0, 2, lambda i, z: z), "n is 0"),
    (lambda: FiniteSumOperator(2, 2, lambda i, z: z, full=lambda z: z, component_lipschitz=[1.0, -1.0]),
     r"component_lipschitz\[1\] is -1"),
    (lambda: FiniteSumOperator(2, 2, lambda i, z: z, full=lambda z: z, component_lipschitz=HIDDEN),
     r"component_lipschitz\[0\] is masked"),
    (lambda: FairClassification(A[:2], B[:2], HIDDEN), r"groups\[0\] is masked"),
    (lambda: monotone_root(FiniteSumOperator(2, 2, lambda i, z: z, full=lambda z: z[:1])), "full returned shape"),
    (lambda: monotone_root(FiniteSumOperator(2, 2, lambda i, z: z, full=lambda z: z * np.nan)), "not finite"),
    (lambda: monotone_root(Bare(full=lambda z: z + 1e-200)), r"op.full\(z0\) reaches 1e-200: between"),
    (lambda: monotone_root(Bare(full=lambda z: z + 1e200)), r"op.full\(z0\) reaches 1e\+200: between"),
    (lambda: monotone_root(Bare(lipschitz=1e20), [1.0]), r"op.lipschitz is 1e\+20, but F grows by 1 around z0"),
    (lambda: monotone_root(Bare(lipschitz=1e13), [1.0], prox=Box()), r"op.lipschitz is 1e\+13, but F grows by 1"),
    (lambda: monotone_root(Bare(full=lambda z: z if z[0] == 1 else np.ones(3)), [1.0]), "op.full returns no vector"),
    (lambda: monotone_root(Bare(full=lambda z: np.ma.array(z, mask=[1]))), r"what op.full returned\[0\] is masked"),
    (lambda: fixed_point(lambda x: 0.5 * x + 1e-200, [0.0]), r"func\(x0\) - x0 reaches 1e-200: between"),
    (lambda: fixed_point(lambda x: [1.0, [2.0]], [0.0, 1.0]), "what func returned is no rectangular array"),
    (lambda: fixed_point(lambda x: np.ma.array(x, mask=[1]), [1.0]), r"what func returned\[0\] is masked"),
    (lambda: saddle_qp(np.eye(2), np.eye(2), np.eye(2), init=[1.0]), r"init has shape \(1,\)"),
])  # fmt: skip
def test_values(call, message):
    with pytest.raises(InvalidInputError, match=message):
        call()


@pytest.mark.parametrize("call, message", [
    (lambda: matrix_game(A.astype(complex)), "complex"),
    (lambda: matrix_game("game"), "A"),
    (lambda: monotone_root(3), "op is int"),
    (lambda: monotone_root(Bare(n=None)), "op.n is None"),
    (lambda: monotone_root(OP, prox=3), "prox is 3"),
    (lambda: monotone_root(OP, rng="seed"), "rng is str"),
    (lambda: Product([(3, 1)]), "parts holds 3"),
    (lambda: FiniteSumOperator(2, 2, 3), "component is 3"),
    (lambda: FiniteSumOperator(2, 2, lambda i, z: z, full=np.ones(2)), "full is array"),
    (lambda: FiniteSumOperator(2, 2, lambda i, z: z, full=lambda z: z, component_lipschitz="x"),
     "component_lipschitz has dtype <U1"),
    (lambda: FiniteSumOperator(2, 2, lambda i, z: z, full=lambda z: z, component_lipschitz=np.ones(3)),
     r"component_lipschitz has shape \(3,\)"),
    (lambda: Box(None, 1.0), "lower is NoneType: an array"),
    (lambda: Box(0.0, "high"), "upper has dtype <U4"),
    (lambda: Box(0.0, 1j), "upper has dtype complex128"),
    (lambda: Product(3), "parts is 3"),
    (lambda: Product("x"), "parts is 'x'"),
    (lambda: Simplices(3), "sizes is 3"),
    (lambda: Simplices(["x"]), "the length of a part is 'x'"),
    (lambda: LPPrimalDual([1.0], [[1.0]], [1.0], equality="no"), "equality is 'no': True or False"),
    (lambda: monotone_root(OP, restart=None), "restart is None: True or False"),
    (lambda: monotone_root(OP, prox=lambda v, t: 1.0), r"prox\(z0, 1\) is no vector of shape \(2,\)"),
    (lambda: saddle_qp(np.eye(2), np.eye(2), np.eye(2), x_set="box"), "x_set is 'box'"),
    (lambda: saddle_qp(np.eye(2), np.eye(2), np.eye(2), y_set=lambda v, t: 1.0), "a prox returns float"),
    (lambda: fixed_point(np.cos, 1.0, args=3), "args is 3: a tuple"),
    (lambda: matrix_game(A, init="x"), r"init is 'x': a pair \(x, y\)"),
    (lambda: linprog_pd([1.0], A_ub=2.0, b_ub=[1.0]), r"A_ub has shape \(\)"),
    (lambda: linprog_pd([1.0], bounds=3), "bounds is 3: pairs"),
    (lambda: linprog_pd([1.0], bounds=("a", "b")), "bounds is .*: pairs"),
    (lambda: linprog_pd([1.0], bounds=[(0, 1, 2)]), "bounds is .*: pairs"),
    (lambda: linprog_pd([1.0], max_time="long"), "max_time is 'long'"),
    (lambda: linprog_pd([1.0], options="x"), "options is 'x': a dict"),
    (lambda: monotone_root(Bare(full=lambda z: 1j * z)), "op.full returned dtype complex128"),
    (lambda: monotone_root(Bare(), prox=lambda v, t: 1j * v), "prox returned dtype complex128"),
    (lambda: monotone_root(FiniteSumOperator(2, 2, lambda i, z: z, full=lambda z: "x")), "full returned dtype <U1"),
    (lambda: fixed_point(lambda x: 1j * x, [1.0]), "func returned dtype complex128"),
    (lambda: fixed_point(lambda x: ["a"], [1.0]), "func returned dtype <U1"),
])  # fmt: skip
def test_types(call, message):
    with pytest.raises((InvalidTypeError, InvalidInputError), match=message):
        call()


@pytest.mark.parametrize("call, name", [
    (lambda zeros, other: fixed_point(lambda x: other(2), zeros(2)), "func"),
    (lambda zeros, other: monotone_root(FiniteSumOperator(1, 2, lambda i, z: other(2)), zeros(2)), "component"),
    (lambda zeros, other: monotone_root(Bare(dim=2, full=lambda z: other(2)), zeros(2)), "op.full"),
    (lambda zeros, other: monotone_root(Bare(dim=2), zeros(2), prox=lambda v, t: other(2)), "prox"),
])  # fmt: skip
@pytest.mark.filterwarnings("ignore::numopt.exceptions.PerformanceWarning")
def test_answers_are_of_the_library_of_the_argument(call, name):
    strict = pytest.importorskip("array_api_strict")
    with pytest.raises(InvalidTypeError, match=f"^{name} returned a numpy array"):
        call(strict.zeros, np.ones)
    with pytest.raises(InvalidTypeError, match=f"^{name} returned a array_api_strict"):
        call(np.zeros, strict.ones)


def test_a_start_at_the_solution_is_one_with_a_generous_constant_too():
    """The step from there is lost in rounding, whatever the constant, if that is not absurd."""
    for lipschitz in (1.0, 1e3):
        at = Bare(full=lambda z: z - 1.0, lipschitz=lipschitz)
        assert monotone_root(at, [np.nextafter(1.0, 2.0)]).success


def test_a_batch_larger_than_the_sum_is_clipped():
    with pytest.warns(PrecisionWarning, match="batch_size is 9"):
        assert monotone_root(OP, method="vr-halpern", batch_size=9, rng=0, tol=1e-3).success


def test_integers_and_booleans_are_numbers():
    assert matrix_game([[True, False], [False, True]], tol=1e-9).success
    assert monotone_root(LogisticGradient(np.eye(2, dtype=int), [0, 1], ridge=1.0)).success


def test_zero_rows_and_a_zero_operator():
    op = LogisticGradient(np.array([[0.0, 0.0], [1.0, 1.0], [1.0, -1.0]]), [1, 0, 1], ridge=0.1)
    for law in ("uniform", "importance"):
        assert monotone_root(op, method="lsvrg", law=law, rng=0).success
    zero = LogisticGradient(np.zeros((3, 2)), [0, 1, 1])
    assert monotone_root(zero).success
    assert monotone_root(BilinearSum(np.zeros((3, 2)), np.zeros((3, 2)))).success


def test_a_matrix_that_is_semidefinite_but_for_rounding_is_taken():
    rng = np.random.default_rng(0)
    for dtype, tol in ((np.float64, 1e-6), (np.float32, 1e-4)):
        B = rng.standard_normal((60, 3)).astype(dtype)
        A, c = rng.standard_normal((4, 60)).astype(dtype), rng.standard_normal(60).astype(dtype)
        sets = {"x_set": Simplex(), "y_set": Simplex()}
        assert saddle_qp(B @ B.T, None, A, c=c, tol=tol, **sets).success


class Nameless:
    """No number of components."""

    dim = 1

    def full(self, z):
        return z


def test_an_operator_without_a_number_of_components_is_no_operator():
    with pytest.raises(InvalidTypeError, match="the attribute n is expected"):
        monotone_root(Nameless())


def test_a_constant_operator_has_no_zero():
    op = FiniteSumOperator(1, 2, lambda i, z: np.ones(2), full=lambda z: np.ones(2))
    result = monotone_root(op, on_failure="ignore", max_iter=300)
    assert not result.success and np.isfinite(result.z).all()


def test_nan_during_the_run_returns_the_last_finite_point():
    calls = [0]

    def full(z):
        calls[0] += 1
        return z - 1 if calls[0] < 14 else z * np.nan

    op = FiniteSumOperator(1, 3, lambda i, z: z, full=full)
    result = monotone_root(op, tol=1e-14, on_failure="ignore", restart=False)
    assert not result.success and np.isfinite(result.z).all()


@pytest.mark.parametrize("call", [
    lambda: matrix_game(np.random.default_rng(0).random((4, 3)), tol=1e-16, on_failure="ignore"),
    lambda: monotone_root(LogisticGradient(A, B, ridge=1.0), tol=1e-16, max_iter=20, on_failure="ignore"),
    lambda: linprog_pd([1.0, 1.0], A_eq=[[1.0, 1.0]], b_eq=[1.0], tol=1e-16, on_failure="ignore"),
])  # fmt: skip
def test_a_tolerance_below_rounding_is_told(call):
    with pytest.warns(PrecisionWarning, match="rounding allows about 1e-14"):
        call()


@pytest.mark.parametrize("call, message", [
    (lambda: linprog_pd([np.nan, 1.0], A_eq=[[1.0, 1.0]], b_eq=[1.0]), r"c\[0\] is nan"),
    (lambda: linprog_pd([1.0, 1.0], A_ub=[[np.inf, 1.0]], b_ub=[1.0]), r"A_ub\[0, 0\] is inf"),
    (lambda: linprog_pd([1.0, 1.0], A_eq=[[1.0, 1.0]], b_eq=[1.0, 2.0]), r"b_eq has shape \(2,\)"),
    (lambda: linprog_pd([1.0, 1.0], A_eq=[[1.0, 1.0]], b_eq=[1.0], bounds=(2.0, 1.0)), r"bounds\[0\] is \(2.0, 1.0\)"),
    (lambda: linprog_pd([1.0, 1.0], bounds=np.ma.array(np.eye(2), mask=np.eye(2))), r"bounds\[0, 0\] is masked"),
    (lambda: linprog_pd([1.0, 1.0], bounds=[(0, 1), (np.ma.masked, 1)]), r"bounds\[1\]\[0\] is masked"),
    (lambda: matrix_game(A, init=(HIDDEN, np.ones(4))), r"init\[0\]\[0\] is masked"),
    (lambda: fixed_point(lambda x: x, [np.nan]), r"x0\[0\] is nan"),
    (lambda: fixed_point(lambda x: x, [[1.0, 2.0], [3.0]]), "x0 is no rectangular array"),
    (lambda: saddle_qp([[np.nan]], [[1.0]], [[1.0]]), r"P\[0, 0\] is nan"),
    (lambda: saddle_qp(np.eye(2), np.eye(3), np.ones((2, 2))), r"Q has shape \(3, 3\)"),
    (lambda: monotone_root(constant("monotone")), "constant operator that is not 0 has no zero"),
    (lambda: monotone_root(constant("cocoercive"), prox=Box(), method="lsvrg"), "nothing to sample"),
])  # fmt: skip
def test_programs_saddles_maps_and_constant_operators(call, message):
    with pytest.raises(InvalidInputError, match=message):
        call()


def constant(kind):
    """F_i = 1 for both components, which says that it is constant."""
    one = np.ones(2)
    return FiniteSumOperator(2, 2, lambda i, z: one, full=lambda z: one, kind=kind, component_lipschitz=0.0)


def test_a_constant_operator_on_a_box_is_a_linear_program():
    assert np.allclose(monotone_root(constant("monotone"), np.full(2, 0.5), prox=Box()).z, 0.0)
