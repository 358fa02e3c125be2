"""Each line of section (g) of the specification: an error before iteration 0, or a status, never NaN.

==========================================  =========================================================================
x0 empty, not finite, 2-D, complex; shapes  test_refused
x0 of integers                              test_front: test_integers_become_floats_and_float32_stays
NaN at x0                                   test_refused
NaN at a trial point, and for good          test_nan_at_..., test_a_nan_..., test_nan_everywhere_..., test_hostile_...
crossed bounds; x0 outside                  test_refused, test_a_start_outside_its_bounds_is_moved
m > n; redundant rows                       test_equality: test_more_rows_than_variables; test_rows_that_add_...
inconsistent rows                           test_equality: test_inconsistent_constraints_are_said_to_be
a row of zeros with a constant              test_equality: test_a_row_of_zeros_with_a_constant
unbounded                                   test_unbounded_objectives, test_what_has_no_lower_bound_...
no Hessian, one that is not symmetric       test_no_hessian_is_learnt, test_a_hessian_that_is_not_symmetric_is_made_so
tol, max_iter, solver, rng                  test_refused
wrong derivatives                           test_wrong_derivatives_are_suspected, test_a_wrong_jacobian_...
CuPy and NumPy mixed                        test_arrays_of_another_library_are_refused
a sketch at its cap                         test_adasketch: test_the_cap_of_inner_solves
m = 0                                       test_without_constraints
==========================================  =========================================================================
"""

import array_api_strict
import numpy as np
import pytest
import scipy.sparse
from scipy.optimize import Bounds, LinearConstraint, NonlinearConstraint

from numopt import Status
from numopt.constrained import KKTSolver, minimize_constrained, sketch_solve
from numopt.exceptions import InvalidInputError, InvalidTypeError, NumoptWarning
from tests.constrained.problems import solve


def square(x):
    return x @ x


GOOD = {"jac": lambda x: 2 * x, "hess": lambda x: 2 * np.eye(x.size)}
NAN = float("nan")


def constraint(**changes):
    parts = {
        "fun": lambda x: x.sum(),
        "lb": 1,
        "ub": 1,
        "jac": lambda x: np.ones(x.size),
        "hess": lambda x, v: np.zeros((2, 2)),
    }
    return NonlinearConstraint(**parts | changes)


@pytest.mark.parametrize(
    ("changes", "error", "match"),
    [
        ({"x0": []}, InvalidInputError, "x0 has shape"),
        ({"x0": [[1.0, 2.0]]}, InvalidInputError, "x0 has shape"),
        ({"x0": [1.0, NAN]}, InvalidInputError, r"x0\[1\] is nan"),
        ({"x0": [1.0, 1j]}, InvalidTypeError, "x0 has dtype complex"),
        ({"fun": 3}, InvalidTypeError, "fun is 3"),
        ({"fun": lambda x: x}, InvalidInputError, r"fun returned an array of shape \(2,\)"),
        ({"fun": lambda x: NAN}, InvalidInputError, r"fun\(x0\) is nan"),
        ({"fun": lambda x: "one"}, (InvalidTypeError, ValueError), "one"),
        ({"jac": lambda x: np.ones(3)}, InvalidInputError, r"jac returned an array of shape \(3,\)"),
        ({"jac": lambda x: np.array([1.0, NAN])}, InvalidInputError, r"the gradient of fun at x0 has entry \[1\]"),
        ({"jac": "4-point"}, InvalidInputError, "jac is '4-point'"),
        ({"hess": lambda x: np.eye(3)}, InvalidInputError, r"hess returned a matrix of shape \(3, 3\)"),
        ({"hess": "none"}, InvalidInputError, "hess is 'none'"),
        ({"constraints": constraint(lb=2)}, InvalidInputError, "row 0 has lower bound 2.0"),
        ({"constraints": constraint(fun=lambda x: NAN)}, InvalidInputError, r"constraints\[0\].fun\(x0\)"),
        ({"constraints": constraint(jac=lambda x: np.ones(3))}, InvalidInputError, r"constraints\[0\].jac returned"),
        ({"constraints": constraint(jac=lambda x: NAN * x)}, InvalidInputError, "the Jacobian of"),
        ({"constraints": constraint(hess=lambda x, v: np.eye(3))}, InvalidInputError, r"\[0\].hess returned"),
        ({"constraints": constraint(lb=[1, 1])}, InvalidInputError, r"constraints\[0\].lb has 2 entries"),
        ({"constraints": constraint(lb=NAN)}, InvalidInputError, "holds NaN"),
        ({"constraints": {"type": "less", "fun": square}}, InvalidInputError, "'type'"),
        ({"constraints": [3]}, InvalidTypeError, r"constraints\[0\] is int"),
        ({"constraints": LinearConstraint([[1.0, 2.0, 3.0]], 0, 1)}, InvalidInputError, "2 columns are expected"),
        ({"constraints": LinearConstraint([[1.0, NAN]], 0, 1)}, InvalidInputError, "holds NaN"),
        (
            {"constraints": LinearConstraint(np.ma.array([[1.0, 2.0]], mask=[[False, True]]), 0, 1)},
            InvalidInputError,
            r"constraints\[0\].A\[0, 1\] is masked",
        ),
        ({"bounds": [(1, 0), (0, 1)]}, InvalidInputError, r"bounds\[0\] is"),
        ({"bounds": [(0, 1)]}, InvalidInputError, "bounds has 1 entries"),
        ({"bounds": Bounds([0, 0, 0], 1)}, InvalidInputError, "bounds.lb has 3 entries"),
        ({"bounds": [(2, 2), (3, 3)]}, InvalidInputError, "bounds fix every variable"),
        ({"tol": 0 - 1.0}, InvalidInputError, "tol is -1"),
        ({"max_iter": 0}, InvalidInputError, "max_iter is 0"),
        ({"linear_solver": "lu"}, InvalidInputError, "linear_solver is 'lu'"),
        ({"linear_solver": "kaczmarz"}, InvalidInputError, "linear_solver is 'kaczmarz'"),
        ({"method": "newton"}, InvalidInputError, "method is 'newton'"),
        ({"method": "adasketch", "bounds": Bounds(0, 1)}, InvalidInputError, "equality constraints alone"),
        ({"rng": "seed"}, InvalidTypeError, "rng is str"),
        ({"options": {"gamma": 1}}, InvalidInputError, "options holds 'gamma'"),
        ({"options": {"lam0": [1.0]}}, InvalidInputError, "lam0"),
        ({"fun": lambda x: np.asarray(3.0, object), "jac": None}, InvalidTypeError, "fun returned dtype object"),
        ({"jac": lambda x: [1.0, [2.0]]}, InvalidInputError, "what jac returned is no rectangular array"),
        ({"jac": lambda x: np.array(["a", "b"])}, InvalidTypeError, "jac returned dtype <U1"),
        ({"jac": lambda x: np.ma.array(x, mask=[0, 1])}, InvalidInputError, r"what jac returned\[1\] is masked"),
        ({"hess": lambda x: scipy.sparse.csr_array(1j * np.eye(2))}, InvalidTypeError, "hess returned dtype complex"),
        ({"bounds": [(0, 1), ("a", 1)]}, InvalidTypeError, r"bounds\[1\]\[0\] is 'a'"),
        ({"bounds": [(0, 1j), (0, 1)]}, InvalidTypeError, r"bounds\[0\]\[1\] is 1j"),
        ({"bounds": 3}, InvalidInputError, "bounds has 1 entries"),
        ({"constraints": constraint(lb="a")}, InvalidTypeError, r"constraints\[0\].lb has dtype <U1"),
        ({"constraints": constraint(lb=1j)}, InvalidTypeError, r"constraints\[0\].lb has dtype complex"),
        ({"constraints": constraint(ub=np.ma.array([1.0], mask=[1]))}, InvalidInputError, r"\[0\].ub\[0\] is masked"),
    ],
)  # fmt: skip
def test_refused(changes, error, match):
    arguments = {"fun": square, "x0": [0.5, 0.5], **GOOD, **changes}
    if "x0" in changes or "hess" in changes:
        arguments.setdefault("constraints", ())
    with pytest.raises(error, match=match):
        minimize_constrained(arguments.pop("fun"), arguments.pop("x0"), **arguments)


@pytest.mark.parametrize("at", ["fun", "jac", "hess", "constraint.fun", "constraint.jac", "constraint.hess"])
@pytest.mark.parametrize("home", [np, array_api_strict], ids=["numpy", "strict"])
def test_arrays_of_another_library_are_refused(at, home):
    """The strict library stands for CuPy: the check is the same, and nothing is copied silently."""

    def of(name, values):
        strict = (home is array_api_strict) != (name == at)
        return lambda *a: array_api_strict.asarray(values) if strict else np.asarray(values)

    parts = {name: of(f"constraint.{name}", v) for name, v in (("fun", [1.0]), ("jac", [[1.0, 1.0]]))}
    c = NonlinearConstraint(lb=1, ub=1, hess=of("constraint.hess", [[0.0, 0], [0, 0]]), **parts)
    mine, theirs = ("numpy", "array_api_strict")[:: 1 if home is np else -1]
    named = at.replace("constraint", r"constraints\[0\]")
    with pytest.raises(InvalidTypeError, match=f"x0 is a {mine} array and {named} returned a {theirs} array"):
        minimize_constrained(of("fun", 1.0), home.asarray([0.5, 0.5]), jac=of("jac", [1.0, 2.0]),
                             hess=of("hess", [[2.0, 0], [0, 2]]), constraints=c)  # fmt: skip


@pytest.mark.parametrize(
    ("fun", "derivatives", "rows"),
    [
        (lambda x: -(x @ x), {"jac": lambda x: -2 * x, "hess": lambda x: -2 * np.eye(2)}, ()),
        (lambda x: x[0], {"jac": lambda x: np.array([1.0, 0]), "hess": lambda x: np.zeros((2, 2))}, [[0.0, 1]]),
    ],
)
def test_unbounded_objectives(fun, derivatives, rows):
    given = [LinearConstraint(rows, 1, 1)] if rows else []
    res = minimize_constrained(fun, [1.0, 1.0], **derivatives, constraints=given, on_failure="ignore")
    assert res.status == Status.UNBOUNDED and not res.success and np.isfinite(res.x).all()


LINEAR = {"jac": lambda x: np.array([-1.0, 0.0]), "hess": lambda x: np.zeros((2, 2))}
QUARTIC = {"jac": lambda x: -4 * x**3, "hess": lambda x: np.diag(-12 * x**2)}
STRIP = LinearConstraint([[1.0, -1.0]], -np.inf, 1)
PARABOLA = NonlinearConstraint(lambda x: x[1] ** 2 - x[0], 0, 0, jac=lambda x: np.array([[-1.0, 2 * x[1]]]),
                               hess=lambda x, v: np.diag([0.0, 2 * v[0]]))  # fmt: skip


@pytest.mark.parametrize(
    ("fun", "more"),
    [
        (lambda x: -x[0], {"constraints": STRIP}),
        (lambda x: -x[0], {"constraints": STRIP, **LINEAR}),
        (lambda x: -x[0], {"constraints": LinearConstraint([[1.0, -1.0]], 0, 0)}),
        (lambda x: -x[0], {"constraints": PARABOLA, **LINEAR}),
        (lambda x: -x[0], {"constraints": NonlinearConstraint(lambda x: x[0] * x[1], 1, np.inf)}),
        (lambda x: -1e-4 * x[1], {"bounds": [(0, 1), (0, None)]}),
        (lambda x: -(x**4).sum(), QUARTIC),
        (lambda x: -(x**4).sum(), {"bounds": [(None, 2), (0, None)], **QUARTIC}),
        (lambda x: -np.exp(x[0]), {"jac": lambda x: np.array([-np.exp(x[0]), 0.0]),
                                   "hess": lambda x: np.diag([-np.exp(x[0]), 0.0])}),
        (lambda x: -np.exp(x[0]), {"bounds": [(-1, None), (3, 3)]}),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:overflow encountered")
def test_what_has_no_lower_bound_is_said_to_look_unbounded(fun, more):
    res = minimize_constrained(fun, [1.0, 1.0], on_failure="ignore", **more)
    assert res.status == Status.UNBOUNDED and not res.success and np.isfinite(res.x).all()
    assert f"as it seems: fun fell to {res.fun:.3g} where x[" in res.message and "check the sign of fun" in res.message
    assert res.fun == fun(res.x) < -1e15 and res.constr_violation <= 1e-6 * abs(res.x).max()
    assert res.certificate["kkt_error"] == res.kkt_error


@pytest.mark.parametrize(
    ("fun", "c", "x0", "least"),
    [
        (lambda x: x[0] + 2 * x[1], lambda x: x[0] ** 2 - x[1] ** 2 - 1, [1.0, 1.0], -1e8),
        (lambda x: x[0] * x[1], lambda x: x[0] ** 2 - x[1] ** 2 - 1, [1.0, 1.0], -1e8),
        (lambda x: -np.exp(x[0]), lambda x: x[1] - x[0], [1.0, 1.0], -1e25),
    ],
)
def test_a_run_that_fails_far_down_looks_unbounded(fun, c, x0, least):
    """Rounding of a curved constraint ends two of these runs where f is far down, not as far as to be sure of it."""
    res = solve(fun, x0, lambda x: [c(x)], on_failure="ignore")
    assert res.status == Status.UNBOUNDED and res.fun <= least
    assert abs(c(res.x)) <= 1e-6 * abs(res.x).max() and "fun fell to" in res.message


@pytest.mark.parametrize(
    ("fun", "x0", "more"),
    [
        (lambda x: -(x[0] ** 12), [100.0, 100.0], {"constraints": NonlinearConstraint(lambda x: x @ x, 1, 1)}),
        (lambda x: -np.exp(x[0]), [0.0], {"constraints": NonlinearConstraint(lambda x: x[0], -np.inf, 50)}),
        (lambda x: -x[0], [0.0], {"bounds": [(0, 1e18)]}),
        (lambda x: ((x - 1) ** 2).sum() - 1e21, [3.0], {"jac": lambda x: 2 * (x - 1)}),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow encountered")
def test_a_low_value_alone_is_not_unbounded(fun, x0, more):
    """Off the constraints, held by a bound or a constraint, or low from the start on."""
    assert minimize_constrained(fun, x0, on_failure="ignore", **more).status != Status.UNBOUNDED


def test_a_run_that_ends_otherwise_tells_how_far_fun_fell():
    curve = NonlinearConstraint(lambda x: x[0] + x[1] ** 2, 0, 0)
    res = minimize_constrained(lambda x: x[0], [1.0, 1.0], constraints=curve, on_failure="ignore", max_iter=60)
    assert not res.success and f"fun fell from 1 to {res.history['fun'].min():.3g} on the way" in res.message
    short = minimize_constrained(square, [5.0, 1.0], constraints=curve, on_failure="ignore", max_iter=2)
    assert short.status == Status.MAX_ITER and "fell" not in short.message


@pytest.mark.parametrize("kind", [np.float32, np.longdouble, lambda value: np.array([[value]])])
def test_differences_take_values_of_any_real_dtype(kind):
    res = minimize_constrained(lambda x: kind(x @ x + 1), [0.5, 0.25], tol=0.05)
    assert res.success and res.jac.dtype == float


def test_a_number_of_any_library_is_a_start_of_one_entry():
    for x0 in (3.0, np.float32(3), np.array(3.0), array_api_strict.asarray(3.0)):
        assert minimize_constrained(lambda x: x[0] ** 2, x0, jac=lambda x: 2 * x, tol=1e-3).x.shape == (1,)


def test_a_preconditioner_is_an_operator():
    with pytest.raises(InvalidTypeError, match=r"options\['preconditioner'\] returned int: .*aslinearoperator"):
        minimize_constrained(square, [0.5, 0.5], jac=GOOD["jac"], hessp=lambda x, p: 2 * p, constraints=constraint(),
                             options={"preconditioner": lambda x, lam: 3})  # fmt: skip


def test_a_start_outside_its_bounds_is_moved():
    with pytest.warns(NumoptWarning, match=r"x0\[0\] is 5.0, outside its bounds"):
        assert minimize_constrained(square, [5.0, 0.5], **GOOD, bounds=[(0, 1), (0, 1)]).success


def test_without_constraints():
    res = minimize_constrained(square, [5.0, -3.0], **GOOD)
    assert res.success and res.nit == 1 and res.v == []


def test_nan_at_a_trial_point_shortens_the_step():
    def log(x):
        return x[0] - np.log(x[0]) if x[0] > 0 else NAN

    res = minimize_constrained(log, [20.0], jac=lambda x: 1 - 1 / x, hess=lambda x: (1 / x**2)[None])
    assert res.success and res.x[0] == pytest.approx(1)


@pytest.mark.parametrize("bounds", [None, Bounds(-100, 100)])
@pytest.mark.parametrize("hess", [None, lambda x: (1 / x**2)[None]])
def test_a_nan_gradient_at_a_trial_point_shortens_the_step(bounds, hess):
    """The function itself is finite there, and low."""
    res = minimize_constrained(
        lambda x: x[0] - np.log(x[0]) if x[0] > 0 else -5.0, [20.0], jac=lambda x: 1 - 1 / x if x[0] > 0 else NAN * x,
        hess=hess, bounds=bounds)  # fmt: skip
    assert res.success and res.x[0] == pytest.approx(1)


def test_a_nan_jacobian_at_a_trial_point_shortens_the_step():
    row = NonlinearConstraint(lambda x: x[0], -100, 100, jac=lambda x: np.where(x > 0, 1.0, NAN)[None])
    res = minimize_constrained(lambda x: x[0] - np.log(x[0]) if x[0] > 0 else -5.0, [20.0], jac=lambda x: 1 - 1 / x,
                               constraints=row)  # fmt: skip
    assert res.success and res.x[0] == pytest.approx(1)


def test_derivatives_that_are_not_finite_wherever_a_step_leads_are_told():
    res = minimize_constrained(lambda x: x @ x, [1.0, 1.0], jac=lambda x: 2 * x if x[0] == 1 else NAN * x,
                               on_failure="ignore")  # fmt: skip
    assert res.status == Status.NONFINITE and "wherever a step leads" in res.message and not res.success


@pytest.mark.parametrize("name", ["fun", "jac", "hess", "c"])
def test_nan_everywhere_but_at_the_start(name):
    calls = []

    def spoilt(value):
        calls.append(1)
        return value if len(calls) < 3 else value * NAN

    def late(function, at):
        return (lambda *a: spoilt(function(*a))) if at == name else function

    c = NonlinearConstraint(late(lambda x: np.array([x.sum() ** 2]), "c"), 1, 1,
                            jac=lambda x: 2 * x.sum() * np.ones((1, 2)),
                            hess=lambda x, v: 2 * v[0] * np.ones((2, 2)))  # fmt: skip
    res = minimize_constrained(
        late(lambda x: (x**4).sum(), "fun"), [2.0, 1.0], jac=late(lambda x: 4 * x**3, "jac"),
        hess=late(lambda x: np.diag(12 * x**2), "hess"), constraints=c, on_failure="ignore", max_iter=50,
    )  # fmt: skip
    assert not res.success and np.isfinite(res.x).all() and np.isfinite(res.fun)


def test_wrong_derivatives_are_suspected():
    res = minimize_constrained(
        lambda x: (x**4).sum(),
        [1.0, 2.0],
        jac=lambda x: -4 * x**3,
        hess=lambda x: np.diag(12 * x**2),
        on_failure="ignore",
    )
    assert not res.success and "check_derivatives" in res.message


def test_differences_of_a_rounded_function_are_suspected():
    res = minimize_constrained(lambda x: np.round((x**4).sum() + x[0], 5), [2.0, 0.5],
                               constraints=LinearConstraint([[1.0, 1.0]], 3, 3), on_failure="ignore")  # fmt: skip
    assert not res.success and "differences may be too rough for tol" in res.message
    assert "check_derivatives" not in res.message


def test_an_exception_of_the_caller_carries_the_best_point():
    calls = []

    def fun(x):
        calls.append(1)
        if len(calls) > 6:
            raise ZeroDivisionError("mine")
        return 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2

    from scipy.optimize import rosen_der, rosen_hess

    with pytest.raises(ZeroDivisionError, match="mine") as caught:
        minimize_constrained(fun, [-1.2, 1.0], jac=rosen_der, hess=rosen_hess)
    assert np.isfinite(caught.value.result.x).all()


def test_bad_systems():
    with pytest.raises(InvalidInputError, match="H has shape"):
        KKTSolver().factor(np.eye(3), np.ones((1, 2)))
    with pytest.raises(InvalidInputError, match="solve before factor"):
        KKTSolver().solve([1.0])
    with pytest.raises(InvalidInputError, match="rhs has shape"):
        KKTSolver().factor(np.eye(2), np.ones((1, 2))).solve([1.0])
    with pytest.raises(InvalidInputError, match="kind is 'magic'"):
        sketch_solve(np.eye(2), np.ones(2), kind="magic")
    with pytest.raises(InvalidInputError, match="A has shape"):
        sketch_solve(np.ones((2, 3)), np.ones(2))
    with pytest.raises(InvalidInputError, match="max_sketches is 0"):
        sketch_solve(np.eye(2), np.ones(2), max_sketches=0)


def test_statuses_of_a_stopped_run():
    def stop(intermediate_result):
        raise StopIteration

    res = solve(lambda x: (x**4).sum(), [1.0, 2.0], lambda x: [x.sum() - 1], callback=stop)
    assert res.status == Status.CALLBACK_STOP and res.nit == 1


@pytest.mark.parametrize("kind", [np.asarray, scipy.sparse.csr_array])
def test_a_hessian_that_is_not_symmetric_is_made_so(kind):
    A = np.array([[2.0, 1.0], [0.0, 2.0]])
    with pytest.warns(NumoptWarning, match=r"hess returned a matrix that is not symmetric.*check_derivatives"):
        res = minimize_constrained(lambda x: x @ A @ x / 2 - x[0], [1.0, 1.0], jac=lambda x: (A + A.T) @ x / 2 - [1, 0],
                                   hess=lambda x: kind(A))  # fmt: skip
    np.testing.assert_allclose((A + A.T) @ res.x / 2, [1, 0], atol=1e-8)
    assert res.nit == 1
    skew = constraint(hess=lambda x, v: np.array([[0.0, 1.0], [-1.0, 0.0]]))
    with pytest.warns(NumoptWarning, match=r"constraints\[0\].hess returned a matrix that is not symmetric"):
        assert minimize_constrained(square, [1.0, 1.0], **GOOD, constraints=skew).success


def test_no_hessian_is_learnt():
    res = minimize_constrained(square, [0.3, 1.0], jac=GOOD["jac"], constraints=constraint())
    assert res.success and res.second_order == "not verified"


def test_a_wrong_jacobian_of_a_constraint_is_suspected():
    wrong = NonlinearConstraint(
        lambda x: x @ x, 1, 1, jac=lambda x: -2 * x[None], hess=lambda x, v: -2 * v[0] * np.eye(2)
    )
    res = minimize_constrained(lambda x: x[0], [2.0, 1.0], jac=lambda x: np.array([1.0, 0.0]),
                               hess=lambda x: np.zeros((2, 2)), constraints=wrong, on_failure="ignore")  # fmt: skip
    assert not res.success and np.isfinite(res.x).all() and "check_derivatives" in res.message


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["fun", "jac", "hess", "cons"])
@pytest.mark.parametrize("call", [1, 2, 4])
def test_hostile_answers_never_pass_for_success(name, value, call):
    """From the given call on, one function returns nothing but NaN or infinity."""
    seen = {}

    def hostile(at, function):
        def answer(*arguments):
            seen[at] = seen.get(at, 0) + 1
            out = np.asarray(function(*arguments), float)
            return out + value if at == name and seen[at] > call else out

        return answer

    c = NonlinearConstraint(hostile("cons", lambda x: np.array([x @ x])), 1, 1, jac=lambda x: 2 * x[None],
                            hess=lambda x, v: 2 * v[0] * np.eye(3))  # fmt: skip
    try:
        res = minimize_constrained(
            hostile("fun", lambda x: (x**4).sum() - x[0]), [0.9, 0.8, -0.7],
            jac=hostile("jac", lambda x: 4 * x**3 - [1, 0, 0]),
            hess=hostile("hess", lambda x: np.diag(12 * x**2)), constraints=c, on_failure="ignore", max_iter=40,
        )  # fmt: skip
    except InvalidInputError:
        return
    assert np.isfinite(res.x).all() and (res.kkt_error <= 1e-8 if res.success else not res.kkt_error <= 1e-8)


@pytest.mark.parametrize("options", [{"disp": True}, {"verbose": 2}, {"maxiter": 3}])
def test_options_of_scipy(options):
    assert minimize_constrained(square, [1.0, 1.0], **GOOD, options=options).success


def test_tol_zero_gets_what_rounding_allows():
    res = minimize_constrained(square, [1.0, 2.0], **GOOD, constraints=constraint(), tol=0.0, on_failure="ignore")
    assert res.kkt_error < 1e-15


# starts, bounds and multipliers


def test_functions_need_not_exist_beyond_the_bounds():
    """The start is outside: it is moved before anything is asked of what is no number there."""

    def fun(x):
        return (x - np.log(x)).sum() if (x > 0).all() else NAN

    with pytest.warns(NumoptWarning, match=r"x0\[0\] is -3.0, outside its bounds"):
        res = minimize_constrained(fun, [-3.0, 2.0], jac=lambda x: 1 - 1 / x, hess=lambda x: np.diag(1 / x**2),
                                   bounds=Bounds(0.5, 5))  # fmt: skip
    assert res.success
    np.testing.assert_allclose(res.x, 1, atol=1e-6)
    with pytest.raises(InvalidInputError, match=r"fun\(x0\) is nan"), pytest.warns(NumoptWarning):
        minimize_constrained(fun, [-3.0, 2.0], jac=lambda x: 1 - 1 / x, bounds=Bounds(-1, 5))


def test_a_start_outside_its_bounds_is_no_solution():
    """The gradient is zero there and wrong everywhere else: no step is taken, and the start is all there is."""
    with pytest.warns(NumoptWarning, match="outside its bounds"):
        res = minimize_constrained(lambda x: (x[0] - 1) ** 2, [1.0], jac=lambda x: np.where(x == 1, 0, -50.0 * (x - 1)),
                                   hess=lambda x: 2 * np.eye(1), bounds=[(0, 0.5)], on_failure="ignore")  # fmt: skip
    assert not res.success or (res.x <= 0.5 + 1e-8).all()
    assert res.constr_violation >= max(0.0, res.x[0] - 0.5)


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_no_number_lies_between_infinite_bounds(value):
    with pytest.raises(InvalidInputError, match=r"bounds\[1\] is .*a number between them"):
        minimize_constrained(square, [0.5, 0.5], **GOOD, bounds=[(0, 1), (value, value)])
    with pytest.raises(InvalidInputError, match=r"constraint row 0 has lower bound .*a number between them"):
        minimize_constrained(square, [0.5, 0.5], **GOOD, constraints=constraint(lb=value, ub=value))


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"z0": ([0, 0], [0, 0])}, InvalidInputError, "'z0' without 'lam0'"),
        ({"lam0": [1.0], "z0": 3}, InvalidInputError, r"options\['z0'\] is no pair"),
        ({"lam0": [1.0], "z0": ([0, NAN], [0, 0])}, InvalidInputError, r"options\['z0'\]\[0\]\[1\] is nan"),
        ({"lam0": [1.0], "z0": ([0, 0], [-1, 0])}, InvalidInputError, r"options\['z0'\]\[1\]\[0\] is -1.0: .*>= 0"),
        ({"lam0": [1.0], "z0": ([0, 0], [0])}, InvalidInputError, r"options\['z0'\]\[1\] .*shape \(1,\)"),
        ({"lam0": [np.inf]}, InvalidInputError, r"options\['lam0'\]\[0\] is inf"),
        ({"preconditioner": np.eye(3)}, InvalidTypeError, r"options\['preconditioner'\] is ndarray.*aslinearoperator"),
        ({"superlinear": -1.0}, InvalidInputError, r"options\['superlinear'\] is -1"),
        ([("maxiter", 3)], InvalidTypeError, "options is list"),
    ],
)
def test_options_are_checked(options, error, match):
    with pytest.raises(error, match=match):
        minimize_constrained(square, [0.5, 0.5], **GOOD, constraints=constraint(), bounds=Bounds(0, 1), options=options)


def test_bounds_alone_start_warm_from_their_multipliers():
    cold = minimize_constrained(square, [0.7, 0.8], **GOOD, bounds=Bounds(0.25, 1))
    warm = minimize_constrained(square, cold.x, **GOOD, bounds=Bounds(0.25, 1),
                                options={"z0": (cold.z_lower, cold.z_upper)})  # fmt: skip
    assert warm.success and warm.nit < cold.nit


@pytest.mark.parametrize("answer", [1.0, np.ones(2), (1.0,)])
def test_a_joint_function_returns_a_pair(answer):
    with pytest.raises(InvalidTypeError, match=r"fun returned .* and jac is True: a pair"):
        minimize_constrained(lambda x: answer, [0.5, 0.5], jac=True)


@pytest.mark.parametrize("name", ["fun", "jac", "hess", "cons"])
def test_hostile_answers_end_the_papers_method_too(name):
    calls = []

    def hostile(at, function):
        def answer(*arguments):
            calls.append(at)
            out = np.asarray(function(*arguments), float)
            return out * NAN if at == name and calls.count(at) > 1 else out

        return answer

    c = NonlinearConstraint(hostile("cons", lambda x: np.array([x @ x])), 1, 1, jac=lambda x: 2 * x[None],
                            hess=lambda x, v: 2 * v[0] * np.eye(2))  # fmt: skip
    res = minimize_constrained(
        hostile("fun", lambda x: (x**4).sum() - x[0]), [0.9, 0.8], jac=hostile("jac", lambda x: 4 * x**3 - [1, 0]),
        hess=hostile("hess", lambda x: np.diag(12 * x**2)), constraints=c, method="adasketch", rng=0,
        linear_solver="block-kaczmarz", on_failure="ignore", options={"max_sketches": 500}, max_iter=10,
    )  # fmt: skip
    assert not res.success and np.isfinite(res.x).all() and np.isfinite(res.fun)


def test_bad_parts_of_a_system_are_named():
    H, G = np.diag([1.0, 2.0]), np.ones((1, 2))
    for changed, match in (
        ((np.array([1.0, 2.0]), G), r"H has shape \(2,\)"),
        ((H * [1, NAN], G), "H holds NaN"),
        ((H, scipy.sparse.csr_array(G * np.inf)), "G holds NaN or infinity"),
        ((np.array([[1.0, 2.0], [0.0, 1.0]]), G), "H is not symmetric"),
        ((scipy.sparse.csr_array([[1.0, 2.0], [0.0, 1.0]]), G), "H is not symmetric"),
    ):
        with pytest.raises(InvalidInputError, match=match):
            KKTSolver().factor(*changed)
    with pytest.raises(InvalidInputError, match="delta is -1"):
        KKTSolver().factor(H, G, delta=-1.0)
    with pytest.raises(InvalidTypeError, match="H has dtype complex128"):
        KKTSolver().factor(H + 0j, G)
    with pytest.raises(InvalidInputError, match="rhs holds NaN"):
        KKTSolver().factor(H, G).solve([1.0, NAN, 0.0])
    with pytest.raises(InvalidInputError, match="inertia before factor"):
        _ = KKTSolver().inertia
