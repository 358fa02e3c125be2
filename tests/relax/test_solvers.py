"""What `sor` and `ssor_pcg` promise: analytic rates, invariances, certificates."""

import numpy as np
import pytest
import scipy.sparse as sparse

from numopt import Status, _loop
from numopt.exceptions import ConvergenceWarning, InvalidInputError, SolverError
from numopt.gallery import finite_elements, laplacian_2d
from numopt.relax import RelaxPlan, _call, relax_plan, sor, ssor_pcg
from tests.oracles import relax as oracle

GRID = laplacian_2d(12)
RHS = np.random.default_rng(5).standard_normal(GRID.shape[0])
BETA = np.cos(np.pi / 13)  # Jacobi's spectral radius on the 12 x 12 grid
BEST = 2 / (1 + np.sin(np.pi / 13))  # Young's parameter


@pytest.mark.parametrize("solve", [sor, ssor_pcg])
@pytest.mark.parametrize("omega", ["auto", 1.0, 1.6])
def test_the_solution_is_that_of_a_direct_solver(solve, omega):
    result = solve(GRID, RHS, omega=omega, rtol=1e-10)
    assert result.success and result.nit == result.nit_paper + (solve is sor)
    np.testing.assert_allclose(result.x, np.linalg.solve(GRID.toarray(), RHS), atol=1e-7)
    assert abs(result.residual_norm - np.linalg.norm(RHS - GRID @ result.x)) < 1e-13 * np.linalg.norm(RHS)


@pytest.mark.parametrize("kind", ["csr", "csc", "coo", "bsr", "lil"])
@pytest.mark.parametrize("container", ["array", "matrix"])
def test_every_kind_of_sparse_matrix_is_the_same(kind, container):
    A = getattr(sparse, f"{kind}_{container}")(GRID)
    assert (sor(A, RHS).x == sor(GRID, RHS).x).all()
    assert (ssor_pcg(A, RHS).x == ssor_pcg(GRID.toarray(), RHS).x).all()


def test_duplicates_are_summed_and_indices_sorted_on_a_copy():
    coo = GRID.tocoo()
    twice = sparse.coo_array((np.tile(coo.data / 2, 2), (np.tile(coo.row, 2), np.tile(coo.col, 2))), coo.shape)
    order = np.lexsort((-coo.col, coo.row))
    loose = sparse.csr_array((coo.data[order], coo.col[order], GRID.indptr), shape=GRID.shape)
    before = loose.indices.copy()
    for A in (twice, loose):
        assert (ssor_pcg(A, RHS).x == ssor_pcg(GRID, RHS).x).all()
    assert (loose.indices == before).all()


@pytest.mark.parametrize("dtype", ["float32", "int64"])
def test_dtypes(dtype):
    A, b = GRID.astype(dtype), np.rint(4 * RHS).astype(dtype)
    x = ssor_pcg(A, b, rtol=1e-5).x
    assert x.dtype == ("float32" if dtype == "float32" else "float64")


def test_shapes_of_the_right_hand_side():
    B = np.stack([RHS, 0 * RHS, RHS[::-1]], axis=1)
    for solve in (sor, ssor_pcg):
        result = solve(GRID, B, omega=1.5)
        assert result.success and result.x.shape == B.shape
        one = solve(GRID, B[:, 2], omega=1.5)
        assert (result.x[:, 2] == one.x).all() and (result.x[:, 1] == 0).all()
        assert solve(GRID, RHS[:, None], omega=1.5).x.shape == (RHS.size, 1)


def test_the_tail_of_a_run_shows_youngs_rates():
    for omega, rate in ((1.0, BETA**2), (1.9, 0.9)):
        squares = sor(GRID, RHS, omega=omega, callback=lambda intermediate_result: None, rtol=1e-12).history["measure"]
        seen = (squares[-1] / squares[-30]) ** (1 / 29)
        assert abs(seen - rate) < (1e-4 if omega == 1.0 else 0.02)
    assert abs(sor(GRID, RHS, omega=1.0).beta_estimate - BETA) < 1e-4
    assert sor(GRID, RHS, omega=1.9).beta_estimate is None  # too large to tell


def test_the_adaptive_parameter_is_youngs():
    result = sor(GRID, RHS)
    assert abs(result.omega - BEST) < 0.02 and abs(result.beta_estimate - BETA) < 2e-3
    assert result.nit < sor(GRID, RHS, omega=1.0).nit
    cheapest = min((sor(GRID, RHS, omega=w).nit, w) for w in BEST + np.linspace(-0.1, 0.1, 21))
    assert abs(cheapest[1] - BEST) <= 0.03


def test_conjugate_gradients_find_their_parameter():
    _, A, b = next(iter(finite_elements("anisotropic", 1, m=60)))
    counts = [ssor_pcg(A, b, omega=w).nit for w in (1.0, 1.5, 1.7, 1.8, 1.9)]
    result = ssor_pcg(A, b)
    assert result.success and result.restarts == 1 and result.omega > 1.7
    assert result.nit <= min(counts) + 25 < counts[0]


def test_ritz_values_are_inside_the_spectrum_and_bound_mu():
    A, omega = GRID.toarray(), 1.4
    spectrum = np.linalg.eigvals(np.linalg.solve(oracle.ssor_matrix(A, omega), A)).real
    result = ssor_pcg(GRID, RHS, omega=omega, rtol=1e-12)
    assert spectrum.min() <= result.ritz_min * (1 + 1e-9) < 1.05 * spectrum.min()
    assert 0.9 * spectrum.max() < result.ritz_max <= spectrum.max() * (1 + 1e-9)
    mu = np.linalg.eigvals(np.diag(np.diag(A)) @ np.linalg.inv(A)).real.max()
    assert 0.5 * mu < result.mu_estimate <= mu * (1 + 1e-6)


def test_scaling_by_powers_of_two_changes_no_bit():
    for solve in (sor, ssor_pcg):
        one, other = solve(GRID, RHS), solve(GRID * 2.0**7, RHS * 2.0**-3)
        assert one.nit == other.nit and (one.x == other.x * 2.0**10).all()


@pytest.mark.parametrize("solve", [sor, ssor_pcg])
@pytest.mark.parametrize("scale", [1e-200, 1e-130, 1e130, 1e200])
def test_extreme_units_are_solved_or_refused_but_not_misjudged(solve, scale):
    result = solve(sparse.csr_array(GRID * scale), RHS, on_failure="ignore")
    if result.success:
        np.testing.assert_allclose(result.x * scale, np.linalg.solve(GRID.toarray(), RHS), atol=1e-6)
    else:
        assert result.status == Status.NONFINITE and "rescale" in result.message
    assert result.success or solve is ssor_pcg


def test_a_diagonal_matrix_takes_one_step():
    d = np.arange(1.0, 9.0)
    for solve in (sor, ssor_pcg):
        result = solve(sparse.diags_array(d).tocsr(), d, omega=1.0)
        assert result.success and result.nit_paper == 1 and np.allclose(result.x, 1)


def test_small_and_empty_right_hand_sides():
    for solve in (sor, ssor_pcg):
        one = solve(sparse.csr_array([[4.0]]), [2.0])
        assert one.success and one.x[0] == pytest.approx(0.5, rel=1e-8)
        none = solve(GRID, 0 * RHS, x0=RHS)
        assert none.success and (none.x == 0).all() and none.residual_norm == 0 and none.nit == 0
        done = solve(GRID, GRID @ RHS, x0=RHS)
        assert done.success and done.nit <= 1


@pytest.mark.parametrize("solve", [sor, ssor_pcg])
def test_starts_and_references(solve):
    x0 = np.linalg.solve(GRID.toarray(), RHS) + 1e-4
    warm, cold = solve(GRID, RHS, x0=x0, omega=1.5), solve(GRID, RHS, omega=1.5)
    assert warm.nit < cold.nit
    to_start = solve(GRID, RHS, x0=x0, omega=1.5, ref="r0")
    assert to_start.success and to_start.nit > warm.nit
    loose = solve(GRID, RHS, omega=1.5, rtol=0.0, atol=1e-3)
    assert 1e-5 < loose.residual_norm <= 1e-3


def test_the_ordering_changes_no_iterate_but_colours():
    rng = np.random.default_rng(2)
    A = sparse.csr_array(oracle.random_spd(rng, 80, 0.05))
    b = rng.standard_normal(80)
    wanted = np.zeros(80)
    for _ in range(5):
        wanted = oracle.sor_step(A.toarray(), b, wanted, 1.3)
    found = sor(A, b, omega=1.3, max_iter=5, on_failure="ignore", rtol=1e-14).x
    np.testing.assert_allclose(found, wanted, rtol=1e-13, atol=1e-15)
    p = rng.permutation(80)
    given = sor(A, b, omega=1.3, ordering=p)
    plain = sor(sparse.csr_array(A[p][:, p]), b[p], omega=1.3)
    np.testing.assert_allclose(given.x[p], plain.x, rtol=1e-12)
    assert given.nit == plain.nit
    assert relax_plan(GRID, ordering="colour").n_levels == 2
    assert abs(sor(GRID, RHS, omega=BEST, ordering="colour").nit - sor(GRID, RHS, omega=BEST).nit) < 15


def test_a_plan_serves_all_matrices_of_a_pattern_and_no_other():
    plan = relax_plan(GRID)
    for factor in (1.0, 3.0):
        A = GRID * factor
        assert (sor(A, RHS, plan=plan).x == sor(A, RHS).x).all()
    changed = GRID.copy()
    changed.indices[[1, 2]] = changed.indices[[2, 1]]
    other = sparse.csr_array(GRID + sparse.eye_array(GRID.shape[0], k=5) * 0.1)
    for A in (other, laplacian_2d(5)):
        with pytest.raises(ValueError, match="plan is for 144 rows"):
            sor(A, np.ones(A.shape[0]), plan=plan)


def test_unsymmetric_systems_are_swept_but_not_taken_for_symmetric():
    rng = np.random.default_rng(3)
    A = sparse.csr_array(oracle.random_spd(rng, 60, 0.1, unsymmetric=True))
    b = rng.standard_normal(60)
    np.testing.assert_allclose(sor(A, b).x, np.linalg.solve(A.toarray(), b), atol=1e-6)
    with pytest.raises(ValueError, match=r"A is not symmetric \(in its pattern"):
        ssor_pcg(A, b)
    values = GRID.copy()
    values.data[1] *= 1.01
    with pytest.raises(ValueError, match=r"A is not symmetric \(by"):
        ssor_pcg(values, RHS)
    assert ssor_pcg(values, RHS, assume_symmetric=True, rtol=1e-6, on_failure="ignore").x.shape == RHS.shape


def test_not_positive_definite_is_a_status_and_no_answer():
    indefinite = sparse.csr_array(GRID - 2 * sparse.eye_array(RHS.size))
    negative = sparse.csr_array(-GRID)
    for A in (indefinite, negative):
        result = ssor_pcg(A, RHS, omega=1.2, on_failure="ignore")
        assert not result.success and result.status == Status.INVALID_MODEL
        assert "not positive definite" in result.message and np.isfinite(result.x).all()
        assert result.nit == (A is indefinite) * ssor_pcg(A, RHS, omega=1.2, callback=id, on_failure="ignore").nit_paper
    assert sor(negative, RHS).success  # sweeps do not mind the sign


def test_divergence_stops_early_at_a_finite_point():
    A = sparse.csr_array(np.array([[1.0, 3.0], [3.0, 1.0]]))
    result = sor(A, np.ones(2), omega=1.0, on_failure="ignore")
    assert result.status == Status.NONFINITE and np.isfinite(result.x).all() and result.nit < 100
    assert result.residual_norm <= np.sqrt(2)


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("omega", ["auto", 1.0, 1.5])
def test_sweeps_that_diverge_are_counted(omega, symmetric):
    """The residual grows by 81 in a double sweep, by 9 and more in a single one."""
    A, sweeps = sparse.csr_array(np.array([[1.0, 3.0], [3.0, 1.0]])), []
    keywords = {"omega": omega, "symmetric": symmetric, "on_failure": "ignore"}
    result = sor(A, np.ones(2), **keywords)
    one_by_one = sor(A, np.ones(2), **keywords, callback=lambda at: sweeps.append(at.nit))
    assert "diverges" in result.message and f"{result.nit} iterations" in result.message
    assert result.nit == result.nit_paper + 1 > 4
    assert one_by_one.nit == result.nit and (omega == "auto" or sweeps[-1] == result.nit - 1)
    for start in (None, [-0.3, 0.4]):
        for callback in (None, id):
            found = sor(A, np.ones(2), start, **keywords, callback=callback)
            assert found.residual_norm <= np.linalg.norm(1 - A @ (start or [0.0, 0.0])) * (1 + 1e-12)


def test_a_sweep_that_leaves_all_numbers_diverges():
    A = sparse.csr_array(np.array([[1.0, 1e160], [1e160, 1.0]]))
    result = sor(A, np.ones(2), omega=1.0, on_failure="ignore")
    assert result.status == Status.NONFINITE and "diverges" in result.message and (result.x == 0).all()


def test_the_limit_on_iterations():
    for solve, keyword in ((sor, "max_iter"), (ssor_pcg, "maxiter")):
        with pytest.warns(ConvergenceWarning, match="max_iter"):
            result = solve(GRID, RHS, omega=1.0, **{keyword: 7})
        assert result.status == Status.MAX_ITER and result.nit == 7
        assert abs(result.residual_norm - np.linalg.norm(RHS - GRID @ result.x)) < 1e-12


def test_symmetric_sweeps_are_double_sweeps():
    wanted = np.zeros(RHS.size)
    for _ in range(4):
        wanted = oracle.ssor_step(GRID.toarray(), RHS, wanted, 1.4)
    found = sor(GRID, RHS, omega=1.4, symmetric=True, max_iter=4, on_failure="ignore").x
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-14)


def test_scipy_calls_carry_over():
    from scipy.sparse.linalg import cg

    x, info = cg(GRID, RHS, None, rtol=1e-9, atol=0.0, maxiter=500, M=None)
    result = ssor_pcg(GRID, RHS, None, rtol=1e-9, atol=0.0, maxiter=500, M=None)
    assert info == 0
    np.testing.assert_allclose(result.x, x, atol=1e-6)
    with pytest.raises(ValueError, match="M is csr_array: None is expected"):
        ssor_pcg(GRID, RHS, M=GRID)


@pytest.mark.parametrize("rows", ["padded", "as they are"])
def test_a_plan_takes_the_memory_that_its_page_names(rows):
    A = laplacian_2d(40)
    if rows == "as they are":
        draws = np.random.default_rng(0).random((200, 200))
        A = sparse.csr_array(sparse.csr_array((draws + draws.T < 0.2) * 1.0) + 10 * sparse.eye_array(200))
    plan = relax_plan(A)
    fields = [*vars(plan).values(), *plan._pattern]
    taken = sum(x.nbytes for x in fields if isinstance(x, np.ndarray)) - plan._pattern.levels.nbytes
    n, off = A.shape[0], A.nnz - A.shape[0]
    assert 0.8 * (20 * off + 32 * n) < taken < 1.05 * (20 * off + 32 * n)


@pytest.mark.parametrize("colours", [2, 8])
def test_omega_follows_the_order_of_the_rows(colours):
    """Axelsson's nu is mu / (2 k) where k colours take turns along the diagonals of a grid, boundaries aside."""
    A, m = laplacian_2d(80), 80
    b = np.random.default_rng(3).standard_normal(m * m)
    plan = relax_plan(A, ordering=np.argsort(sum(np.divmod(np.arange(m * m), m)) % colours, kind="stable"))
    result = ssor_pcg(A, b, plan=plan)
    assert abs(result.omega - 2 / (1 + np.sqrt(2 / colours))) < 0.03
    assert result.nit <= 1.05 * min(ssor_pcg(A, b, plan=plan, omega=w).nit for w in np.arange(0.9, 1.95, 0.1))


@pytest.mark.parametrize("solve", [sor, ssor_pcg])
@pytest.mark.parametrize("omega", ["auto", 1.4])
def test_a_callback_sees_x_in_the_order_of_the_caller(solve, omega):
    """Sweeps take the rows by levels."""
    seen = []
    result = solve(GRID, RHS, omega=omega, callback=lambda intermediate_result: seen.append(intermediate_result))
    assert result.success and len(seen) == result.history["nit"].size
    for one in seen[1:]:
        relative = np.linalg.norm(RHS - GRID @ one.state) / np.linalg.norm(RHS)
        assert relative <= 1.5 * one.measure and relative < 2.0  # that of a sweep is known one sweep late
    np.testing.assert_array_equal(seen[-1].state, result.x)


def test_right_hand_sides_and_starts_as_lists():
    B = np.stack([RHS, 1e3 * RHS[::-1]], axis=1)
    for solve in (sor, ssor_pcg):
        lists, arrays = solve(GRID, B.tolist(), B.tolist(), omega=1.5), solve(GRID, B, B, omega=1.5)
        assert (lists.x == arrays.x).all() and lists.x.shape == B.shape
        assert (solve(GRID, RHS.tolist(), RHS.tolist()).x == solve(GRID, RHS, RHS).x).all()
        with pytest.raises(ValueError, match=r"x0 has shape \(144, 1\) and b \(144, 2\)"):
            solve(GRID, B, B[:, :1])
        norms = np.linalg.norm(B - GRID @ arrays.x, axis=0)
        assert arrays.residual_norm == pytest.approx(norms.max(), rel=1e-5)


@pytest.mark.parametrize("solve", [sor, ssor_pcg])
def test_indices_of_64_bits(solve):
    for A in (GRID, GRID.tocsc(), GRID.tocoo()):
        A = A.copy()
        for name in {"indices", "indptr", "row", "col"} & set(dir(A)):
            if name in vars(A):
                setattr(A, name, getattr(A, name).astype(np.int64))
        assert (solve(A, RHS).x == solve(GRID, RHS).x).all()
        plan = relax_plan(A)
        assert (solve(GRID, RHS, plan=plan).x == solve(GRID, RHS).x).all()


@pytest.mark.parametrize("solve", [sor, ssor_pcg])
@pytest.mark.parametrize("stop", [KeyboardInterrupt, StopIteration])
def test_all_right_hand_sides_stop_together(solve, stop):
    seen = []

    def callback(at):
        seen.append(at.nit)
        if at.nit >= 3:
            raise stop

    B = np.stack([RHS, RHS[::-1], RHS**2], axis=1)
    result = solve(GRID, B, omega=1.0, callback=callback, on_failure="ignore")
    ended = {KeyboardInterrupt: Status.INTERRUPTED, StopIteration: Status.CALLBACK_STOP}
    assert result.status == ended[stop] and not result.success and result.x.shape == B.shape
    assert max(seen) == 3 and seen.count(2) == 1 and result.residual_norm < np.linalg.norm(B)


def test_the_limit_on_the_time_is_that_of_all_right_hand_sides(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(_loop, "perf_counter", lambda: now[0])
    monkeypatch.setattr(_call, "perf_counter", lambda: now[0])

    def callback(at):
        now[0] += 1.0

    result = sor(GRID, np.stack([RHS] * 5, axis=1), omega=1.0, max_time=7.0, callback=callback, on_failure="ignore")
    assert result.status == Status.TIME_LIMIT and now[0] == 7.0 + 1.0 + 4.0  # one sweep of each that follows


def test_one_warning_or_error_for_all_right_hand_sides():
    B = np.stack([RHS, RHS], axis=1)
    with pytest.warns(ConvergenceWarning, match="max_iter") as caught:
        sor(GRID, B, max_iter=2)
    assert len(caught) == 1
    with pytest.raises(SolverError, match="max_iter") as failed:
        sor(GRID, B, max_iter=2, on_failure="raise")
    assert failed.value.result.x.shape == B.shape


def test_bad_entries_of_the_last_right_hand_side_are_told_before_the_first():
    B = np.stack([RHS, np.where(np.arange(RHS.size) == 3, np.nan, RHS)], axis=1)
    with pytest.raises(InvalidInputError, match=r"b\[3, 1\] is nan"):
        sor(GRID, B, callback=lambda at: pytest.fail("a system was solved"))
    with pytest.raises(InvalidInputError, match=r"b\[3, 1\] is 1e\+200.*rescale"):
        sor(GRID, np.nan_to_num(B, nan=1e200))
    with pytest.raises(InvalidInputError, match=r"x0\[3, 1\] is nan"):
        ssor_pcg(GRID, np.ones_like(B), x0=B)


@pytest.mark.parametrize("solve", [sor, ssor_pcg])
@pytest.mark.parametrize("kind", ["csr", "coo", "dense", "planned"])
def test_the_matrix_is_arranged_once_for_all_right_hand_sides(solve, kind, monkeypatch):
    calls, arrange = [], RelaxPlan.system
    monkeypatch.setattr(RelaxPlan, "system", lambda plan, data: calls.append(plan) or arrange(plan, data))
    A = GRID.toarray() if kind == "dense" else GRID.asformat("coo" if kind == "coo" else "csr")
    plan = relax_plan(GRID) if kind == "planned" else None
    b = np.random.default_rng(0).normal(size=(RHS.size, 3))
    x0 = np.full(b.shape, 0.1)
    found = solve(A, b, x0, plan=plan, omega=1.2)
    assert len(calls) == 1 and found.success
    for j in range(3):
        assert (found.x[:, j] == solve(A, b[:, j], x0[:, j], omega=1.2).x).all()


@pytest.mark.parametrize("solve", [sor, ssor_pcg])
def test_an_exception_keeps_the_right_hand_sides_that_are_solved(solve):
    b, began = np.stack([RHS, 2 * RHS, 3 * RHS], axis=1), set()

    def callback(at):
        began.add(at.began)
        if len(began) == 3:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as caught:
        solve(GRID, b, callback=callback)
    found = caught.value.result
    assert found.status == Status.EVALUATION_ERROR and not found.success and "ZeroDivision" in found.message
    np.testing.assert_allclose(GRID @ found.x[:, :2], b[:, :2], atol=1e-6 * np.linalg.norm(b))
    assert abs(found.residual_norm - np.linalg.norm(b[:, 2] - GRID @ found.x[:, 2])) < 1e-12


@pytest.mark.parametrize(("omega", "max_iter"), [(1.0, 2), (1.0, 3), (1.5, 2), (1.5, 3), (1.5, 200)])
@pytest.mark.parametrize("x0", [None, np.ones(3)])
def test_the_certificate_is_that_of_the_point_returned(omega, max_iter, x0):
    """Sweeps diverge: the best point is not the one that was judged last."""
    A, b = np.array([[3.0, 1.0, 0.0], [-2.0, 2.0, -3.0], [-3.0, -3.0, 3.0]]), np.ones(3)
    for callback in (None, id):
        found = sor(A, b, x0, omega=omega, max_iter=max_iter, callback=callback, on_failure="ignore")
        residual = np.linalg.norm(b - A @ found.x)
        assert not found.success and found.residual_norm == pytest.approx(residual, rel=1e-12)
        assert found.certificate["residual"] == pytest.approx(residual / np.sqrt(3), rel=1e-12)


@pytest.mark.parametrize("callback", [None, id])
@pytest.mark.parametrize("seed", range(12))
def test_conjugate_gradients_stop_where_rounding_leads_them_on(seed, callback):
    """From so far a start that the answer is below the rounding of its residual, or with too small a tolerance."""
    rng = np.random.default_rng(seed)
    A = np.diag(rng.uniform(0.5, 2, 37))
    b, keywords = rng.normal(size=37), {"omega": 1.0, "callback": callback, "on_failure": "ignore"}
    far = ssor_pcg(A, 1e-20 * b, 10.0 ** rng.integers(-3, 3) * rng.normal(size=37), rtol=1e-4, **keywords)
    assert far.success and np.linalg.norm(1e-20 * b - A @ far.x) <= 1e-4 * np.linalg.norm(1e-20 * b)
    near = ssor_pcg(A, b, rtol=1e-30, **keywords)
    assert near.status in (Status.CONVERGED, Status.STALLED) and near.certificate["residual"] < 1e-15


@pytest.mark.parametrize("solve", [sor, ssor_pcg])
@pytest.mark.parametrize("size", [1e20, 1e100, 1e160])
@pytest.mark.parametrize("callback", [None, id])
def test_a_start_that_would_drown_the_answer_is_no_start(solve, size, callback):
    found = solve(GRID, RHS, size * np.ones(RHS.size), callback=callback, omega=1.5)
    from_zero = solve(GRID, RHS, callback=callback, omega=1.5)
    assert found.success and found.nit == from_zero.nit and (found.x == from_zero.x).all()
    assert solve(GRID, RHS, 1e3 * np.ones(RHS.size), omega=1.5).nit > from_zero.nit  # others are honoured
