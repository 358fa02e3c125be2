"""What scipy scripts pass: dicts, differences, quasi-Newton updates, operators, sparse matrices."""

import gc

import numpy as np
import pytest
import scipy.optimize as so
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator

from numopt import Status
from numopt.constrained import minimize_constrained
from numopt.exceptions import InvalidInputError, InvalidTypeError
from numopt.gallery import pde_control


def fun(x):
    return (x[0] - 1) ** 2 + (x[1] - 2.5) ** 2


DICTS = (
    {"type": "ineq", "fun": lambda x: x[0] - 2 * x[1] + 2},
    {"type": "ineq", "fun": lambda x: -x[0] - 2 * x[1] + 6},
    {"type": "ineq", "fun": lambda x: -x[0] + 2 * x[1] + 2},
)


def test_the_tutorial_of_slsqp():
    arguments = {"method": "SLSQP", "bounds": ((0, None), (0, None)), "constraints": DICTS}
    theirs, ours = (f(fun, (2, 0), **arguments) for f in (so.minimize, minimize_constrained))
    assert ours.success
    np.testing.assert_allclose(ours.x, theirs.x, atol=1e-5)
    assert len(ours.v) == 3


def test_dicts_with_arguments_and_derivatives():
    c = {"type": "eq", "fun": lambda x, r: x @ x - r, "jac": lambda x, r: 2 * x, "args": (4.0,)}
    res = minimize_constrained(
        lambda x, a: a * x[0], [1.0, 1.0], (2.0,), jac=lambda x, a: np.array([a, 0.0]), constraints=c
    )
    np.testing.assert_allclose(res.x, [-2, 0], atol=1e-6)


def rosen_in_disc(**keywords):
    disc = so.NonlinearConstraint(lambda x: x @ x, -np.inf, 1.5, jac=keywords.pop("cjac", lambda x: 2 * x),
                                  hess=keywords.pop("chess", lambda x, v: 2 * v[0] * np.eye(2)))  # fmt: skip
    return minimize_constrained(so.rosen, [-1.0, 0.5], constraints=disc, **keywords)


EXACT = {"jac": so.rosen_der, "hess": so.rosen_hess}


@pytest.mark.parametrize(
    "keywords",
    [
        {},
        {"jac": "2-point", "tol": 1e-5},
        {"jac": "3-point", "hess": so.BFGS()},
        {"jac": "cs", "hess": so.SR1()},
        {"jac": so.rosen_der, "hess": "3-point"},
        {"jac": so.rosen_der, "hess": "2-point", "cjac": "3-point", "chess": so.BFGS()},
        {"jac": so.rosen_der, "hessp": so.rosen_hess_prod},
        {"jac": so.rosen_der, "hessp": so.rosen_hess_prod, "linear_solver": "pcg"},
        {"jac": so.rosen_der, "hess": lambda x: sp.csr_array(so.rosen_hess(x))},
        {**EXACT, "cjac": lambda x: sp.csr_array(2 * x[None]), "chess": lambda x, v: sp.eye_array(2) * 2 * v[0]},
        {**EXACT, "linear_solver": "sparse-ldl"},
        {**EXACT, "options": {"maxiter": 50}},
        {**EXACT, "method": "trust-constr", "options": {"verbose": 0}},
    ],
    ids=lambda k: ",".join(
        f"{n}={getattr(v, '__name__', type(v).__name__ if not isinstance(v, str) else v)}" for n, v in k.items()
    ),
)
def test_every_kind_of_derivative_leads_to_the_same_point(keywords):
    best = rosen_in_disc(**EXACT)
    res = rosen_in_disc(**keywords)
    assert res.success, res.message
    np.testing.assert_allclose(res.x, best.x, atol=2e-4 if "tol" in keywords else 1e-6)


def test_value_and_gradient_at_once():
    res = minimize_constrained(lambda x: (so.rosen(x), so.rosen_der(x)), [-1.0, 0.5], jac=True)
    np.testing.assert_allclose(res.x, [1, 1], atol=1e-6)
    assert res.njev == 0


def test_counts_and_times():
    res = rosen_in_disc(**EXACT)
    assert res.nfev >= res.nit and res.ncev >= res.nit and res.njev >= 2 * res.nit and res.nhev >= 2 * res.nit
    assert res.time_eval > 0 and res.n_factor >= res.nit


def test_max_iter_of_options():
    with pytest.warns(UserWarning, match="max_iter"):
        assert rosen_in_disc(**EXACT, options={"maxiter": 2}).nit == 2


def test_integers_become_floats_and_float32_stays():
    assert (
        minimize_constrained(lambda x: x @ x, [3, 4], jac=lambda x: 2 * x, hess=lambda x: 2 * np.eye(2)).x.dtype
        == float
    )
    x0 = np.array([3, 4], np.float32)
    res = minimize_constrained(
        lambda x: x @ x, x0, jac=lambda x: 2 * x, hess=lambda x: 2 * np.eye(2, dtype=np.float32), tol=1e-4
    )
    assert res.x.dtype == np.float32


def test_a_buffer_that_the_caller_reuses():
    g = np.empty(2)

    def jac(x):
        g[:] = so.rosen_der(x)
        return g

    res = rosen_in_disc(jac=jac, hess=so.rosen_hess)
    assert res.success


def test_pde_control_sparse_dense_and_by_products():
    p = pde_control(12, kappa=5.0)
    sparse = minimize_constrained(p.fun, p.x0, **p.keywords, linear_solver="sparse-ldl")
    dense = minimize_constrained(p.fun, p.x0, **p.keywords, linear_solver="ldl")
    np.testing.assert_allclose(sparse.x, dense.x, atol=1e-7)
    assert sparse.second_order == dense.second_order == "min"


def test_operator_mode():
    N, m = 12, 144
    p = pde_control(N)
    c, weights = p.keywords["constraints"], np.concatenate([np.ones(m), np.full(m, 0.1)])
    J, seen = c.jac(p.x0), []
    L = J[:, :m].toarray()
    schur = np.linalg.inv(L @ L + 10 * np.eye(m))

    def jac(x):
        seen.append(1)
        return LinearOperator(J.shape, matvec=lambda v: J @ v, rmatvec=lambda v: J.T @ v, dtype=float)

    M = LinearOperator(
        (3 * m, 3 * m), matvec=lambda r: np.concatenate([r[: 2 * m] / weights, schur @ r[2 * m :]]), dtype=float
    )
    linear = so.NonlinearConstraint(c.fun, 0, 0, jac=jac, hess=lambda x, v: sp.csr_array((2 * m, 2 * m)))
    res = minimize_constrained(p.fun, p.x0, jac=p.keywords["jac"], hessp=lambda x, v: weights * v, constraints=linear,
                               options={"preconditioner": M, "lam0": np.zeros(m)})  # fmt: skip
    assert res.success and seen and res.linear_solver == "minres" and res.second_order == "not verified"
    exact = minimize_constrained(p.fun, p.x0, **p.keywords)
    np.testing.assert_allclose(res.x, exact.x, atol=1e-6)
    varying = minimize_constrained(p.fun, p.x0, jac=p.keywords["jac"], hessp=lambda x, v: weights * v,
                                   constraints=linear,
                                   options={"preconditioner": lambda x, v: M, "lam0": np.zeros(m)})  # fmt: skip
    np.testing.assert_array_equal(varying.x, res.x)


@pytest.mark.parametrize("kappa", [0.0, 5.0])
def test_projected_conjugate_gradients(kappa):
    """The Hessian by products, the Jacobian sparse; or both by products and the caller's preconditioner."""
    p, m = pde_control(10, kappa), 100
    c = p.keywords["constraints"]
    exact = minimize_constrained(p.fun, p.x0, **p.keywords)
    keywords = {"jac": p.keywords["jac"], "hessp": lambda x, v: p.keywords["hess"](x) @ v, "linear_solver": "pcg"}
    res = minimize_constrained(p.fun, p.x0, constraints=c, **keywords)
    assert res.success and res.linear_solver == "pcg" and res.second_order == "not verified"
    np.testing.assert_allclose(res.x, exact.x, atol=1e-6)

    def jac(x):
        J = c.jac(x)
        return LinearOperator(J.shape, matvec=lambda v: J @ v, rmatvec=lambda v: J.T @ v, dtype=float)

    def inverse(x, v):
        J = c.jac(x)
        K = sp.csc_array(sp.block_array([[sp.eye_array(2 * m), J.T], [J, None]]))
        return LinearOperator(K.shape, matvec=sp.linalg.splu(K).solve, dtype=float)

    products = so.NonlinearConstraint(c.fun, 0, 0, jac=jac, hess=c.hess)
    with pytest.raises(InvalidInputError, match=r"'pcg' and the Jacobian .* options\['preconditioner'\] is expected"):
        minimize_constrained(p.fun, p.x0, constraints=products, **keywords)
    options = {"preconditioner": inverse, "lam0": np.zeros(m)}
    mine = minimize_constrained(p.fun, p.x0, constraints=products, options=options, **keywords)
    assert mine.success and mine.n_factor == 0
    np.testing.assert_allclose(mine.x, exact.x, atol=1e-6)


@pytest.mark.parametrize("solver", ["minres", "pcg"])
@pytest.mark.parametrize("x0", [[0.3, 0.2, 0.1], [0.0, 0.0, 0.0]])
@pytest.mark.parametrize("low", [1.0, -np.inf])
def test_products_see_wrong_curvature(solver, x0, low):
    """A Hessian of zeros for a linear objective: the multiplier alone bends the Lagrangian, at first the wrong way."""
    a = np.array([1.0, 2.0, -1.0])
    sphere = so.NonlinearConstraint(
        lambda x: x @ x, low, 1.0, jac=lambda x: 2 * x, hess=lambda x, v: 2 * v[0] * np.eye(3)
    )
    res = minimize_constrained(lambda x: a @ x, x0, jac=lambda x: a, hessp=lambda x, p: 0 * p, constraints=sphere,
                               linear_solver=solver, on_failure="ignore")  # fmt: skip
    if (solver, sum(x0), low) == ("minres", 0, 1.0):  # no direction leads out of the middle but for rounding
        assert res.status == Status.INFEASIBLE
    else:
        assert res.success and res.fun == pytest.approx(-(6**0.5), abs=1e-7)


def test_products_of_zeros_leave_a_direction():
    res = minimize_constrained(lambda x: x.sum(), [1.0, 2.0], jac=np.ones_like, hessp=lambda x, p: 0 * p,
                               on_failure="ignore")  # fmt: skip
    assert res.status == Status.UNBOUNDED and res.linear_solver == "minres"


@pytest.mark.parametrize(
    "keywords", [EXACT, {"jac": "2-point", "hess": "3-point"}, {}], ids=["exact", "differences", "learnt"]
)
@pytest.mark.parametrize("bounds", [None, [(-2.0, 2.0), (None, 0.9)]])
def test_nothing_of_a_finished_problem_waits_for_the_garbage_collector(keywords, bounds):
    gc.collect()
    res = rosen_in_disc(bounds=bounds, tol=1e-6, **keywords)
    assert res.success and gc.collect() == 0


def test_answers_may_change_their_kind_and_shape_between_calls():
    """Whatever a function returned first, each later answer is read as if it were."""
    calls = {"jac": 0, "hess": 0, "c": 0, "cjac": 0, "chess": 0}

    def vary(name, value, *forms):
        calls[name] += 1
        return forms[calls[name] % len(forms)](np.asarray(value))

    def row(v):
        return v[None, :]

    disc = so.NonlinearConstraint(
        lambda x: vary("c", [x @ x], np.array, list, np.float32), 1.5, 1.5,
        jac=lambda x: vary("cjac", 2 * x, row, np.array, np.ndarray.tolist),
        hess=lambda x, v: vary("chess", 2 * v[0] * np.eye(2), np.array, sp.csr_array, np.ndarray.tolist),
    )  # fmt: skip
    res = minimize_constrained(
        so.rosen, [-1.0, 0.5], jac=lambda x: vary("jac", so.rosen_der(x), np.array, row, np.ndarray.tolist),
        hess=lambda x: vary("hess", so.rosen_hess(x), np.array, np.ndarray.tolist, sp.csr_array), constraints=disc,
        tol=1e-6,
    )  # fmt: skip
    want = minimize_constrained(
        so.rosen, [-1.0, 0.5], constraints=so.NonlinearConstraint(lambda x: x @ x, 1.5, 1.5), **EXACT
    )
    assert res.success
    np.testing.assert_allclose(res.x, want.x, atol=1e-4)


@pytest.mark.parametrize("last", [True, False])
def test_a_later_answer_of_the_wrong_shape_is_refused(last):
    """The first ones are right: no short cut may let a later one pass."""
    seen = []

    def hess(x):
        seen.append(1)
        return np.eye(3) if len(seen) > 1 else so.rosen_hess(x)

    def jac(x):
        seen.append(1)
        return np.ones(3) if len(seen) > 1 else so.rosen_der(x)

    changed = {"hess": hess} if last else {"jac": jac}
    with pytest.raises(InvalidInputError, match="hess returned a matrix" if last else "jac returned an array"):
        rosen_in_disc(**(EXACT | changed))


@pytest.mark.parametrize(
    "keywords",
    [
        {"jac": so.rosen_der, "hess": "cs"},
        {"jac": so.rosen_der, "hess": "cs", "cjac": lambda x: (2 * x).tolist(), "chess": "cs"},
        {"jac": so.rosen_der, "hess": "cs", "cjac": lambda x: sp.csr_array(2 * x[None]), "chess": "cs"},
        {"jac": so.rosen_der, "hessp": so.rosen_hess_prod, "chess": so.BFGS()},
        {"jac": so.rosen_der, "hess": lambda x: sp.csr_array(so.rosen_hess(x)), "chess": so.BFGS()},
        {"jac": so.rosen_der, "hess": lambda x: sp.linalg.aslinearoperator(so.rosen_hess(x)), "chess": so.SR1()},
    ],
    ids=["cs", "cs, list", "cs, sparse", "products, learnt", "sparse, learnt", "operator, learnt"],
)
def test_forms_of_hessians_go_together(keywords):
    res = rosen_in_disc(**keywords)
    assert res.success, res.message
    np.testing.assert_allclose(res.x, rosen_in_disc(**EXACT).x, atol=1e-6)


def test_complex_steps_through_a_joint_gradient():
    res = minimize_constrained(lambda x: (so.rosen(x), so.rosen_der(x)), [-1.0, 0.5], jac=True, hess="cs")
    exact = minimize_constrained(so.rosen, [-1.0, 0.5], **EXACT)
    assert res.success and res.nit == exact.nit
    np.testing.assert_allclose(res.x, [1, 1], atol=1e-6)


def test_complex_steps_need_functions_of_complex_numbers():
    with pytest.raises(InvalidInputError, match="hess is 'cs' and jac is '3-point': a function for jac is expected"):
        minimize_constrained(so.rosen, [-1.0, 0.5], jac="3-point", hess="cs")
    with pytest.raises(InvalidInputError, match=r"\[0\].hess is 'cs' and constraints\[0\].jac is '3-point'"):
        rosen_in_disc(**EXACT, cjac="2-point", chess="cs")
    with pytest.raises(InvalidInputError, match=r"fun returned real numbers for complex x.*choose '3-point'"):
        minimize_constrained(lambda x: np.abs(x - 3).sum(), [-1.0, 0.5], jac="cs")
    with pytest.raises(InvalidInputError, match=r"constraints\[0\].fun returned real numbers for complex x"):
        minimize_constrained(so.rosen, [-1.0, 0.5], **EXACT,
                             constraints=so.NonlinearConstraint(lambda x: np.abs(x), 0, 1, jac="cs"))  # fmt: skip


def test_a_dict_as_scipy_takes_it():
    c = {"type": "EQ", "fun": lambda x, r: x @ x - r, "jac": lambda x, r: 2 * x, "args": 4.0,
         "hess": lambda x, v, r: 2 * v[0] * np.eye(2)}  # fmt: skip
    res = minimize_constrained(lambda x: x[0], [1.0, 1.0], jac=lambda x: np.array([1.0, 0.0]),
                               hess=lambda x: np.zeros((2, 2)), constraints=c)  # fmt: skip
    assert res.success and res.second_order == "min"
    np.testing.assert_allclose(res.x, [-2, 0], atol=1e-8)


def test_what_scipy_passes_for_nothing():
    """None for the method, the tolerance and the constraints; a number for x0; one number in a matrix."""
    res = minimize_constrained(lambda x: np.array([[(x[0] - 2) ** 2]]), 3.0, method=None, tol=None, constraints=None)
    assert res.success and res.x.shape == (1,) and res.x[0] == pytest.approx(2, abs=1e-6)


def test_options_of_other_methods_have_no_effect_and_are_told():
    with pytest.warns(UserWarning, match="options holds 'ftol', 'xtol', which has no effect here: tol judges"):
        res = rosen_in_disc(**EXACT, options={"xtol": 1e-3, "ftol": 1e-2, "maxiter": 100, "disp": True})
    assert res.success and res.kkt_error <= 1e-8


@pytest.mark.parametrize("jac", ["2-point", "3-point", None])
@pytest.mark.parametrize("side", [1.0, -1.0])
def test_differences_keep_to_the_bounds(jac, side):
    """Logarithms of what is positive, with the solution at a bound: SciPy's differences do not look beyond either."""

    def fun(x):
        assert (side * x >= 0).all() and (abs(x) <= 2).all()
        return (side * x * np.log(np.maximum(side * x, 1e-300))).sum() + 5 * side * x[0]

    bounds = [(0.0, 2.0) if side > 0 else (-2.0, 0.0)] * 3
    c = {"type": "eq", "fun": lambda x: fun(x) * 0 + x.sum() - side}
    res = minimize_constrained(fun, side * np.array([0.2, 0.3, 0.5]), jac=jac, bounds=bounds, constraints=c, tol=1e-5)
    want = np.exp([-5.0, 0, 0]) / np.exp([-5.0, 0, 0]).sum()
    assert res.success
    np.testing.assert_allclose(side * res.x, want, atol=1e-4)


def test_a_box_narrower_than_the_steps():
    res = minimize_constrained(lambda x: (x @ x), [1.0, 3.0], bounds=[(1.0, 1.0 + 3e-6), (None, None)], tol=1e-6)
    assert res.success and 1.0 - 1e-6 <= res.x[0] <= 1.0 + 3e-6 and res.jac[0] == pytest.approx(2, abs=1e-4)


def test_a_callback_sees_the_callers_point():
    """Fixed variables are there, and nothing is scaled."""
    seen = []

    def fun(x):
        return 1e4 * ((x - [1, 2, 3]) ** 2).sum()

    res = minimize_constrained(fun, [9.0, 5.0, 9.0], jac=lambda x: 2e4 * (x - [1, 2, 3]),
                               hess=lambda x: 2e4 * np.eye(3), bounds=[(None, None), (5, 5), (0, None)],
                               callback=lambda intermediate_result: seen.append(intermediate_result))  # fmt: skip
    assert res.success and len(seen) == res.nit
    for one in seen:
        assert one.x.shape == (3,) and one.x[1] == 5 and one.fun == pytest.approx(fun(one.x), rel=1e-12)
    np.testing.assert_array_equal(seen[-1].x, res.x)
    assert [one.measure for one in seen] == res.history["measure"].tolist()


FIXED = [(None, None), (-1, 2), (None, None), (0.7, 0.7), (None, None)]


@pytest.mark.parametrize(
    ("kind", "bounds"),
    [(np.asarray, None), (sp.csr_array, None), (sp.linalg.aslinearoperator, None), (np.asarray, FIXED),
     (sp.csr_array, FIXED)],
)  # fmt: skip
def test_one_function_for_the_hessian_of_the_lagrangian(kind, bounds):
    """HS77 in units in which gradients are large, so that f and c are scaled inside."""

    def fun(x):
        return 1e3 * ((x[0] - 1) ** 2 + (x[0] - x[1]) ** 2 + (x[2] - 1) ** 2 + (x[3] - 1) ** 4 + (x[4] - 1) ** 6)

    def first(x):
        return 1e3 * (x[0] ** 2 * x[3] + np.sin(x[3] - x[4]) - 2 * 2**0.5)

    def rows(x):
        return np.array([first(x), x[1] + x[2] ** 4 * x[3] ** 2 - 8 - 2**0.5])

    parts = [so.NonlinearConstraint(lambda x, i=i: rows(x)[i : i + 1], 0, 0, jac="cs", hess="3-point") for i in (1, 0)]
    eye = 1e-5 * np.eye(5)

    def gradient(x, v):
        steps = 1e-30j * np.eye(5)
        return np.array([(fun(x + s) + v @ rows(x + s)[::-1]).imag / 1e-30 for s in steps])

    def hess(x, v):
        return kind(np.array([(gradient(x + e, v) - gradient(x - e, v)) / 2e-5 for e in eye]))

    call = {"jac": "cs", "constraints": parts, "bounds": bounds, "tol": 1e-7}
    res = minimize_constrained(fun, [2.0] * 5, **call, options={"hess_lagrangian": hess})
    want = minimize_constrained(fun, [2.0] * 5, **call, hess="3-point")
    assert res.success and want.success and res.nhev > 0
    np.testing.assert_allclose(res.x, want.x, atol=1e-6)
    if kind is not sp.linalg.aslinearoperator:
        assert res.nit == want.nit and res.second_order == want.second_order == "min"


def test_one_hessian_is_enough():
    options = {"hess_lagrangian": lambda x, v: so.rosen_hess(x)}
    with pytest.raises(InvalidInputError, match=r"hess or hessp is given beside options\['hess_lagrangian'\]"):
        minimize_constrained(so.rosen, [0.0, 1.0], jac=so.rosen_der, hess=so.rosen_hess, options=options)
    with pytest.raises(InvalidTypeError, match=r"options\['hess_lagrangian'\] is 3"):
        minimize_constrained(so.rosen, [0.0, 1.0], jac=so.rosen_der, options={"hess_lagrangian": 3})
    with pytest.raises(InvalidInputError, match=r"options\['hess_lagrangian'\] returned a matrix of shape \(3, 3\)"):
        minimize_constrained(so.rosen, [0.0, 1.0], options={"hess_lagrangian": lambda x, v: np.eye(3)})
