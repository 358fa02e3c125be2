"""The tuner: what it promises for any policy, and what each policy is known to do."""

import json
import math
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse as sparse

from numopt import Status
from numopt.exceptions import InvalidInputError, InvalidTypeError, PerformanceWarning
from numopt.gallery import Heat, laplacian_2d, shifted_laplacians
from numopt.relax import Tuner, sor, ssor_pcg
from numopt.relax._cheb_cb import ChebCB
from numopt.relax._theory import best_sor
from numopt.relax._tsallis import TsallisInf, probabilities

POLICIES = ["auto", "surface", "tsallis-inf", "tsallis-inf-binned", "cheb-cb"]
OMEGA = {"omega": (1.0, 1.95)}


def toy(policy="surface", rng=0, **keywords):
    """A tuner of a function that nobody calls."""
    keywords = {"context": [(0.0, 1.0)]} | keywords
    return Tuner(lambda x: x, {"x": (0.0, 1.0)}, policy=policy, cost="nit", rng=rng, **keywords)


def cost_of(params, context):
    return 20 + 300 * (params["x"] - 0.2 - 0.5 * context) ** 2


def play(tuner, rounds, seed=1):
    costs = []
    for c in np.random.default_rng(seed).random(rounds):
        params, token = tuner.ask(c)
        tuner.tell(token, cost_of(params, c))
        costs.append(cost_of(params, c))
    return costs


@pytest.mark.parametrize("policy", POLICIES)
def test_every_policy_learns_and_repeats(policy):
    costs, again = play(toy(policy), 300), play(toy(policy), 300)
    assert costs == again
    at_random = np.mean([cost_of({"x": x}, c) for x, c in np.random.default_rng(0).random((500, 2))])
    assert np.mean(costs[150:]) < (0.95 if "tsallis" in policy else 0.75) * at_random
    tuner = toy(policy)
    play(tuner, 100)
    assert 0 <= tuner.best(0.5)["x"] <= 1


@pytest.mark.parametrize("policy", POLICIES)
def test_a_state_goes_through_json_and_goes_on_bit_by_bit(policy):
    one, other = toy(policy), toy(policy, rng=9)
    play(one, 60)
    _, token = one.ask(0.3)
    other.load_state_dict(json.loads(json.dumps(one.state_dict())))
    for tuner in (one, other):
        tuner.tell(token, 25.0)
    assert play(one, 100, seed=4) == play(other, 100, seed=4)
    with pytest.raises(InvalidInputError, match=r"state\['policy'\]"):
        toy("auto" if policy == "surface" else "surface").load_state_dict(one.state_dict())


@pytest.mark.parametrize("policy", POLICIES)
def test_a_state_that_is_not_complete_is_refused_by_name_and_changes_nothing(policy):
    tuner, other = toy(policy), toy(policy, rng=9)
    play(tuner, 30)
    play(other, 30, seed=2)
    state, before = other.state_dict(), json.dumps(tuner.state_dict())
    learner = state["learner"]
    one = learner[-1] if isinstance(learner, list) else learner
    for part in (state, one):
        for name in list(part):
            value = part.pop(name)
            with pytest.raises(InvalidInputError, match=rf"state( lacks '{name}'|\['{name}'\] is None)"):
                tuner.load_state_dict(state)
            assert json.dumps(tuner.state_dict()) == before
            part[name] = value
    with pytest.raises(InvalidInputError, match="state is damaged"):
        tuner.load_state_dict(state | {"open": [[0]]})
    for bad in (None, [], "{}"):
        with pytest.raises(InvalidTypeError, match=r"state is .*: a dict is expected"):
            tuner.load_state_dict(bad)
    assert json.dumps(tuner.state_dict()) == before


def test_a_state_of_another_tuner_is_refused_by_name():
    state = Tuner(sor, OMEGA, rng=0).state_dict()
    for other, name in (
        (Tuner(sor, {"omega": (1.0, 1.9)}), "space"),
        (Tuner(sor, {"omega": ["auto"]}), "space"),
        (Tuner(sor, OMEGA, context=1), "context"),
        (Tuner(sor, OMEGA, policy="tsallis-inf"), "policy"),
        (Tuner(sor, OMEGA, cost="nit"), "cost"),
        (Tuner(ssor_pcg, OMEGA), "theory of"),
    ):
        with pytest.raises(InvalidInputError, match=rf"state\['{name}'\] is"):
            other.load_state_dict(state)
    with pytest.raises(InvalidInputError, match=r"state\['arms'\] is 20: 5 is expected"):
        toy("cheb-cb", n_arms=5).load_state_dict(toy("cheb-cb").state_dict())
    with pytest.raises(InvalidInputError, match=r"state\['version'\] is None"):
        Tuner(sor, OMEGA).load_state_dict({})


def test_what_theory_has_learnt_must_be_complete():
    tuner, (_, A, b) = Tuner(sor, OMEGA, rng=0), next(iter(shifted_laplacians(1)))
    tuner.solve(A, b)
    state = tuner.state_dict()
    for name in state["theory"]:
        part = {k: v for k, v in state["theory"].items() if k != name}
        with pytest.raises(InvalidInputError, match=f"state lacks '{name}'"):
            tuner.load_state_dict(state | {"theory": part})
    assert tuner.state_dict() == state


@pytest.mark.parametrize("policy", POLICIES)
def test_tokens_may_be_told_in_any_order_and_only_once(policy):
    tuner = toy(policy)
    asked = [tuner.ask(c) for c in (0.1, 0.5, 0.9)]
    for params, token in asked[::-1]:
        tuner.tell(token, cost_of(params, 0.5))
    with pytest.raises(KeyError, match="not open"):
        tuner.tell(asked[0][1], 1.0)
    with pytest.raises(KeyError, match="not open"):
        tuner.tell(99, 1.0)


def test_a_bad_cost_leaves_the_token_open():
    tuner = toy()
    _, token = tuner.ask(0.5)
    for bad in (np.nan, np.inf, -1.0):
        with pytest.raises(InvalidInputError, match="cost is"):
            tuner.tell(token, bad)
    for bad in ([token], {}, "0"):
        with pytest.raises(InvalidTypeError, match=r"token is .* an integer"):
            tuner.tell(bad, 1.0)
    tuner.tell(token, 0.0)


@pytest.mark.parametrize("policy", POLICIES)
def test_equal_costs_divide_by_nothing(policy):
    tuner = toy(policy)
    for cost in (1.0, 0.0):
        for c in np.linspace(0, 1, 45):
            params, token = tuner.ask(c)
            assert all(np.isfinite(value) for value in params.values())
            tuner.tell(token, cost)


def test_a_constant_context_is_ignored_with_one_warning():
    tuner = toy()
    with pytest.warns(PerformanceWarning, match="tells nothing") as caught:
        for _ in range(120):
            params, token = tuner.ask(0.4)
            tuner.tell(token, cost_of(params, 0.4))
    assert len(caught) == 1
    assert abs(tuner.best(0.4)["x"] - 0.4) < 0.06


BAD = [
    ({"space": {}}, "space is empty"),
    ({"space": {"x": []}}, r"space\['x'\] is empty"),
    ({"space": {"x": (1.0, 1.0)}}, r"space\['x'\] is \(1.0, 1.0\): low < high"),
    ({"space": {"x": (0.0, 1.0, "log")}}, r"space\['x'\]\[0\] is 0"),
    ({"space": {"x": (0.0, 2.0, "sor")}}, r"space\['x'\]\[1\] is 2"),
    ({"space": {"x": (0.0, 1.0, "cubic")}}, "the scale 'cubic'"),
    ({"policy": "magic"}, "policy is 'magic'"),
    ({"policy": "young"}, "policy is 'young'"),
    ({"policy": "cheb-cb"}, "context is None: 'cheb-cb' needs to know its bounds"),
    ({"cost": "money"}, "cost is 'money'"),
    ({"context": 5}, "context is 5"),
    ({"context": [(1.0, 0.0)]}, r"context\[0\] is \(1.0, 0.0\)"),
    ({"backstop": 0.5}, "backstop is 0.5"),
    ({"forget": 0.0}, "forget is 0"),
    ({"forget": 1.5}, "forget is 1.5"),
    ({"n_arms": 0}, "n_arms is 0"),
    ({"n_arms": 10**9, "policy": "tsallis-inf"}, "n_arms is 1000000000, which makes"),
    ({"space": {"x": (0.0, 1.0, ["log"])}}, r"the scale \['log'\]"),
]


@pytest.mark.parametrize(("arguments", "match"), BAD, ids=[m for _, m in BAD])
def test_bad_arguments(arguments, match):
    with pytest.raises(InvalidInputError, match=match):
        Tuner(**{"solve": len, "space": {"x": (0.0, 1.0)}} | arguments)


@pytest.mark.parametrize(
    "arguments", [{"solve": 3}, {"space": [1]}, {"space": {"x": 3}}, {"context": "c"}, {"rng": "s"}]
)
def test_bad_types(arguments):
    (name,) = arguments
    with pytest.raises(InvalidTypeError, match=f"{name}(\\['x'\\])? is "):
        Tuner(**{"solve": len, "space": {"x": (0.0, 1.0)}} | arguments)


def test_the_papers_learners_predict_no_cost():
    with pytest.raises(InvalidInputError, match="policy is 'tsallis-inf': it has no model"):
        toy("tsallis-inf").predict(0.5)


@pytest.mark.parametrize(("options", "match"), [
    ({"context": [1]}, r"context\[0\] is 1: a pair"),
    ({"context": [("a", 1.0)]}, r"context\[0\] is 'a'"),
    ({"context": [(0.0, np.inf)]}, r"context\[0\] is inf"),
    ({"context": [(1.0, 0.0)]}, r"context\[0\] is \(1.0, 0.0\)"),
    ({"forget": np.ones(2)}, "forget is array"),
])  # fmt: skip
def test_bad_announcements(options, match):
    with pytest.raises((InvalidInputError, InvalidTypeError), match=match):
        Tuner(sor, {"omega": (1.0, 1.9)}, **options)


def test_bad_contexts():
    for bad, match in (
        (None, "context has 0"),
        ([1, 2], "context has 2"),
        (np.nan, r"context\[0\] is nan"),
        (np.ma.array([1.0], mask=[1]), r"context\[0\] is masked"),
    ):
        with pytest.raises(InvalidInputError, match=match):
            toy().ask(bad)


def test_a_failing_solver_is_learnt_from_and_its_error_passed_on():
    def solve(b, x):
        raise ZeroDivisionError("mine")

    tuner = Tuner(solve, {"x": (0.0, 1.0)}, cost="seconds", rng=0)
    with pytest.raises(ZeroDivisionError, match="mine"):
        tuner.solve(1.0)
    assert tuner.state_dict()["open"] == [] and tuner.state_dict()["told"] == 1


@pytest.mark.parametrize("bad", [(0.4, 0.6), (0.0, 0.6)])
def test_a_failure_before_any_cost_is_known_is_not_taken_for_cheap(bad):
    def solve(x):
        if bad[0] <= x <= bad[1]:
            raise ZeroDivisionError
        return SimpleNamespace(work=1e6)

    tuner, failures = Tuner(solve, {"x": (0.0, 1.0)}, rng=0), 0
    for k in range(60):
        try:
            tuner.solve()
        except ZeroDivisionError:
            failures += 1
        tuner.load_state_dict(json.loads(json.dumps(tuner.state_dict(), allow_nan=False)))
        assert (tuner.predict()[0] < np.inf) == (failures <= k)
    assert 0 < failures < 10 and not bad[0] <= tuner.best()["x"] <= bad[1]


@pytest.mark.parametrize("policy", POLICIES[2:])
def test_a_failure_of_unknown_cost_teaches_the_papers_learners_nothing(policy):
    tuner = Tuner(lambda x: 1 / 0, {"x": (0.0, 1.0)}, policy=policy, context=[(0.0, 1.0)], rng=0)
    before = tuner.state_dict()["learner"]
    with pytest.raises(ZeroDivisionError):
        tuner.solve(context=0.5)
    assert tuner.state_dict()["learner"] == before and tuner.state_dict()["open"] == []


def test_a_key_pressed_teaches_nothing():
    def pressed(*_, **__):
        raise KeyboardInterrupt

    A, b = laplacian_2d(20), np.ones(400)
    tuner = Tuner(pressed, {"x": (0.0, 1.0)}, cost="seconds", rng=0)
    with pytest.raises(KeyboardInterrupt):
        tuner.solve()
    assert tuner.state_dict()["open"] == [] and tuner.state_dict()["told"] == 0
    for policy in ("auto", "surface"):
        tuner = Tuner(sor, OMEGA, policy=policy, rng=0)
        tuner.solve(A, b)
        before = tuner.predict() if policy == "surface" else tuner.state_dict()["theory"]
        assert tuner.solve(A, b, callback=pressed, on_failure="ignore").status == Status.INTERRUPTED
        assert before == (tuner.predict() if policy == "surface" else tuner.state_dict()["theory"])


def test_a_key_pressed_ends_a_sequence():
    def pressed(*_, **__):
        raise KeyboardInterrupt

    A, b = laplacian_2d(9), np.ones(81)
    tuner = Tuner(partial(sor, callback=pressed, on_failure="ignore"), OMEGA, rng=0)
    assert [r.status for r in tuner.run([((A, b), None)] * 4).results] == [Status.INTERRUPTED]


@pytest.mark.parametrize("policy", ["auto", "tsallis-inf"])
@pytest.mark.parametrize("where", ["solve", "problems"])
@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_a_sequence_that_breaks_off_keeps_what_is_done(policy, where, error):
    def problems(last):
        for k in range(5):
            if k == last and where == "problems":
                raise error
            yield (k if where == "problems" else k % (last + 1),), None

    def solve(k, x):
        if k == broken and where == "solve":
            raise error
        return SimpleNamespace(work=k + 1.0)

    for broken in (0, 3):
        tuner = Tuner(solve, {"x": (0.0, 1.0)}, policy=policy, rng=0)
        if error is KeyboardInterrupt and broken:
            done = tuner.run(problems(broken))
        else:
            with pytest.raises(error) as caught:
                tuner.run(problems(broken))
            done = getattr(caught.value, "result", None)
        if done is None:
            assert error is KeyboardInterrupt and not broken
        else:
            assert done.costs.tolist() == [1.0, 2.0, 3.0][:broken] and len(done.results) == len(done.params) == broken


def test_a_run_that_fails_cheaply_is_dear():
    """Beyond omega = 0.6 it diverges within a few sweeps, which would look like the best of all."""
    A, b = sparse.csr_array(np.array([[1.0, -1.9, 0.9], [0.9, 1.0, -3.0], [0.9, 0.9, 1.0]])), np.ones(3)
    for omega, success in ((0.5, True), (0.6, False)):
        assert sor(A, b, omega=omega, on_failure="ignore").success == success
    tuner = Tuner(partial(sor, on_failure="ignore"), {"omega": (0.05, 1.2)}, rng=0)
    results = tuner.run([((A, b), None)] * 60).results
    assert not all(r.success for r in results) and all(r.success for r in results[30:])
    assert tuner.best()["omega"] < 0.6


def test_limits_hold_for_a_run_and_its_backstop_together():
    A, b = laplacian_2d(40), np.ones(1600)
    tuner = Tuner(sor, OMEGA, policy="surface", rng=0)
    tuner.run([((A, b), None)] * 25)
    hard = {"rtol": 1e-300, "atol": 1e-14, "on_failure": "ignore"}
    assert all(tuner.solve(A, b, maxiter=150, **hard).nit <= 150 for _ in range(5))


def test_costs_near_the_largest_number_leave_no_nan():
    tuner = toy(context=None)
    tuner.tell(tuner.ask()[1], 1.7e308, censored=True)
    assert np.isfinite(tuner.predict()).all()


def test_what_is_no_problem_is_refused_by_name():
    A, b = laplacian_2d(4), np.ones(16)
    tuner = Tuner(sor, OMEGA, policy="surface", rng=0)
    for problem in (1, (A, b), ((A, b),)):
        with pytest.raises(InvalidTypeError, match=r"problems\[1\] is .* a pair"):
            tuner.run([((A, b), None), problem])
    with pytest.raises(InvalidTypeError, match="max_iter is '3'"):
        tuner.solve(A, b, max_iter="3")
    for params in ({"x": 1.0}, {"omega": np.nan}, {"omega": 1.96}):
        with pytest.raises(InvalidInputError, match="params"):
            tuner.predict(params=params)
    with pytest.raises(InvalidTypeError, match=r"params is \[1.5\]: a dict"):
        tuner.predict(params=[1.5])
    with pytest.raises(InvalidTypeError, match="problems is None: an iterable"):
        tuner.run(None)
    for policy in ("auto", "surface", "tsallis-inf"):
        with pytest.raises(InvalidInputError, match="omega is given: the tuner chooses it"):
            Tuner(sor, OMEGA, policy=policy).solve(A, b, omega=1.3)
        assert Tuner(sor, OMEGA, policy=policy).solve(A, b, plan=None).success
    for context in ("high", 1j):
        with pytest.raises(InvalidTypeError, match=r"context is .* real numbers"):
            toy().ask(context)
    with pytest.raises(InvalidTypeError, match="space has the key 1"):
        Tuner(sor, {1: (1.0, 1.5)})


@pytest.mark.parametrize("cost", [None, "dear", 1j, np.ones(2)])
def test_a_cost_that_is_no_number_is_named(cost):
    tuner = Tuner(sor, OMEGA, cost=lambda result: cost)
    with pytest.raises(InvalidTypeError, match=r"cost is .*: a number is expected"):
        tuner.solve(laplacian_2d(4), np.ones(16))


def test_results_of_others_are_not_gone_on_with():
    """With the arguments of a solver that can be stopped, but not its result."""
    limits = []

    def solve(A, b, x0=None, max_iter=10_000, on_failure="warn", x=0.0):
        limits.append(max_iter)
        return SimpleNamespace(x=b, work=2.0, nit=None)

    tuner = Tuner(solve, {"x": (0.0, 1.0)}, rng=0)
    for _ in range(3):
        assert tuner.solve(1.0, 2.0).x == 2.0
    other = Tuner(solve, {"x": (0.0, 1.0)}, rng=0)
    other.load_state_dict(tuner.state_dict() | {"steps": 9})
    assert other.solve(1.0, 2.0).x == 2.0 and limits == [10_000] * 3 + [20, 10_000]


def test_a_result_without_a_cost_is_an_error():
    with pytest.raises(InvalidTypeError, match="has no 'work'"):
        Tuner(lambda b, x: b, {"x": (0.0, 1.0)}).solve(1.0)


# --- Tsallis-INF


def bisected(losses, eta):
    low, high = losses.min() - 2 * math.sqrt(losses.size) / eta - 1, losses.min()
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (low, middle) if np.sum(4 / (eta * (losses - middle)) ** 2) > 1 else (middle, high)
    return 4 / (eta * (losses - low)) ** 2


@pytest.mark.parametrize("d", [1, 2, 20, 1000])
@pytest.mark.parametrize("scale", [0.0, 1.0, 1e4, 1e12])
@pytest.mark.parametrize("eta", [2.0, 0.002])
def test_probabilities_are_on_the_simplex(d, scale, eta):
    rng = np.random.default_rng(d)
    losses = scale * rng.random(d)
    if d > 1:
        losses[1] = losses[0]
    p = probabilities(losses, eta)
    assert abs(p.sum() - 1) < 1e-12 and (p > 0).all()
    if scale < 1e6:
        np.testing.assert_allclose(p, bisected(losses, eta) / bisected(losses, eta).sum(), atol=1e-9)
        np.testing.assert_allclose(p, probabilities(losses + 5.0, eta), atol=1e-9)
    order = rng.permutation(d)
    np.testing.assert_allclose(p[order], probabilities(losses[order], eta), rtol=1e-9)


@pytest.mark.slow
def test_regret_on_coin_flips():
    d, T = 10, 20_000
    regrets = []
    for seed in range(5):
        rng, learner, regret = np.random.default_rng(seed), TsallisInf(d), 0.0
        for _ in range(T):
            arm, p = learner.ask([], rng)
            regret += 0.2 * (arm > 0)
            learner.tell(arm, p, float(rng.random() < (0.3 if arm == 0 else 0.5)), [])
        regrets.append(regret)
    assert np.mean(regrets) < 4 * math.sqrt(d * T) + 1


# --- the surface


def test_the_surface_finds_a_quadratic_optimum():
    tuner = Tuner(len, {"x": (0.0, 1.0)}, policy="surface", cost="nit", rng=3)
    hits = []
    for _ in range(200):
        params, token = tuner.ask()
        tuner.tell(token, math.exp(3 + 4 * (params["x"] - 0.6) ** 2))
        hits.append(abs(params["x"] - 0.6) < 0.05)
    assert np.mean(hits[30:]) >= 0.9


def test_the_surface_still_knows_the_cost_when_the_first_rounds_are_forgotten():
    tuner = toy("surface")
    tuner.tell(tuner.ask(0.5)[1], 1e6)  # the first cost, from which others are counted, is far off
    play(tuner, 2150)
    mean, _ = tuner.predict(0.5, {"x": 0.45})
    assert abs(mean / 20 - 1) < 0.1


def test_the_surface_follows_a_jump_if_it_forgets():
    tuner = Tuner(len, {"x": (0.0, 1.0)}, policy="surface", cost="nit", rng=0, forget=0.95)
    costs = []
    for t in range(320):
        params, token = tuner.ask()
        costs.append(math.exp(3 + 4 * (params["x"] - (0.2 if t < 200 else 0.8)) ** 2))
        tuner.tell(token, costs[-1])
    assert np.median(costs[150:200]) < 1.05 * math.exp(3) and np.median(costs[260:]) < 1.05 * math.exp(3)


def test_drift_is_noticed():
    tuner = Tuner(len, {"x": (0.0, 1.0)}, policy="surface", cost="nit", rng=0, forget="auto")
    costs, rng = [], np.random.default_rng(0)
    for t in range(320):
        params, token = tuner.ask()
        bowl = 3 + 4 * (params["x"] - (0.2 if t < 200 else 0.8)) ** 2
        costs.append(math.exp(bowl + 0.02 * rng.standard_normal()))
        tuner.tell(token, costs[-1])
        if t == 199:
            assert tuner._learner.forget == 1.0  # no false alarm
    assert tuner._learner.forget < 1.0
    assert np.median(costs[260:]) < 1.05 * math.exp(3)


def test_many_ranges_are_warned_of():
    with pytest.warns(PerformanceWarning, match="space has 5 ranges"):
        Tuner(len, {name: (0.0, 1.0) for name in "abcde"})


def test_a_saved_state_does_not_change_with_the_tuner():
    tuner = toy()
    play(tuner, 15)
    state = tuner.state_dict()
    before = json.dumps(state)
    play(tuner, 5)
    tuner.load_state_dict(state)
    play(tuner, 5)
    assert json.dumps(state) == before


@pytest.mark.parametrize("policy", POLICIES)
def test_a_clone_chooses_the_same_and_goes_its_own_way(policy):
    tuner = toy(policy)
    play(tuner, 40)
    twin = tuner.clone()
    assert play(tuner, 40, seed=3) == play(twin, 40, seed=3)
    play(twin, 10)
    assert tuner.state_dict() != twin.state_dict()


def test_a_sequence_can_be_cut_short_and_is_recorded():
    def solve(b, x):
        return b

    tuner = Tuner(solve, {"x": [0.0, 1.0]}, policy="tsallis-inf", cost=lambda result: 3.0, rng=0)
    done = tuner.run([((1,), None)] * 5)
    assert done.contexts == [None] * 5 and done.regret_bound == 2 * 3.0 * math.sqrt(2 * 2 * 5) and done.total == 15.0
    assert len(tuner.run([((1,), None)] * 5, max_time=0.0).costs) == 1
    with pytest.raises(InvalidInputError, match="max_time is -1"):
        tuner.run([], max_time=-1.0)


def test_choices_and_several_parameters():
    space = {"solver": ["slow", "fast"], "x": (0.0, 1.0), "y": (1e-3, 1.0, "log")}
    tuner = Tuner(len, space, cost="nit", rng=0)
    for _ in range(150):
        params, token = tuner.ask()
        bowl = (params["x"] - 0.3) ** 2 + (math.log10(params["y"]) + 1) ** 2
        tuner.tell(token, math.exp(2 + bowl) * (4 if params["solver"] == "slow" else 1))
    best = tuner.best()
    assert best["solver"] == "fast" and abs(best["x"] - 0.3) < 0.15 and 0.03 < best["y"] < 0.3
    assert Tuner(len, space, rng=0).predict() == (math.inf, math.inf)
    mean, sd = tuner.predict(params=best)
    assert abs(math.log(mean / math.exp(2))) < 0.3 and 0 < sd < 0.5


def test_coefficients_of_cheb_cb_are_the_best_within_their_box():
    learner = ChebCB(1, 0.0, 1.0)
    for context, loss in ((0.5, 0), (0.5001, 30), (0.4999, 0), (0.2, 10), (0.8, 5), (0.1, 30)):  # asks for a cliff
        learner.tell(0, 0.0, float(loss), (context,))
    X, y = np.array(learner.played[0][0]), np.array(learner.played[0][1]) / learner.S
    box = np.array([1.0, *(2 / np.arange(1, 6))]) * 30 / learner.S
    free, theta = np.linalg.lstsq(X, y, rcond=None)[0], learner.fits[0]
    assert (abs(free) > box).any() and (abs(theta) <= box).all()
    uphill = X.T @ (X @ theta - y)
    assert abs(np.clip(theta - uphill, -box, box) - theta).max() <= 1e-5 * box[0]
    assert learner.misfit == pytest.approx(np.sum((X @ theta - y) ** 2))


# --- theory


@pytest.mark.parametrize("variance", ["low", "high"])
def test_theory_is_as_good_as_knowing_the_spectrum(variance):
    least = np.linalg.eigvalsh(laplacian_2d(10).toarray())[0]
    tuner, spent, known = Tuner(sor, OMEGA | {"omega": (1.0, 1.99)}, cost="nit", rng=0), 0.0, 0
    problems = list(shifted_laplacians(100, variance))
    done = tuner.run(((A, b), None) for _, A, b in problems)
    assert all(r.success for r in done.results)
    for c, A, b in problems:
        known += sor(A, b, omega=best_sor(1 - (least + c) / (4 + c))).nit
    spent = done.total
    assert spent <= 1.03 * known


def test_theory_learns_from_conjugate_gradients_for_free():
    heat, counts = Heat(64, 16), {}
    for name, solve in (
        ("tuned", Tuner(ssor_pcg, {"omega": (1.0, 1.998)}, cost="nit", rng=0).solve),
        *((w, lambda A, b, x0, w=w: ssor_pcg(A, b, x0, omega=w)) for w in (1.0, 1.5, 1.8)),
    ):
        u, total = heat.u0, 0
        for k in range(16):
            _, A, b = heat.system(k, u)
            result = solve(A, b, x0=u)
            assert result.success
            u, total = result.x, total + result.nit
        counts[name] = total
    assert counts["tuned"] < min(counts[w] for w in (1.0, 1.5, 1.8))


@pytest.mark.parametrize("solve", [sor, ssor_pcg])
def test_what_theory_has_learnt_goes_through_json(solve):
    one, other = (Tuner(solve, {"omega": (1.0, 1.99)}, cost="nit", rng=seed) for seed in (0, 9))
    problems = [((A, b), None) for _, A, b in shifted_laplacians(12, "low")]
    one.run(problems[:6])
    other.load_state_dict(json.loads(json.dumps(one.state_dict())))
    for mine, theirs in zip(one.run(problems[6:]).results, other.run(problems[6:]).results, strict=True):
        assert mine.success and mine.nit == theirs.nit and (mine.x == theirs.x).all()


def test_matrices_of_no_family_are_solved_all_the_same():
    rng, tuner = np.random.default_rng(0), Tuner(ssor_pcg, {"omega": (1.0, 1.99)}, cost="nit", rng=0)
    for m in (8, 9, 9, 10):
        A = laplacian_2d(m)
        A.setdiag(4 + rng.random(m * m))
        assert tuner.solve(A, rng.standard_normal(m * m)).success


# --- the backstop


@pytest.mark.parametrize("solve", [sor, ssor_pcg])
def test_no_run_costs_more_than_the_backstop_allows(solve):
    tuner = Tuner(solve, {"omega": (0.05, 1.995)}, policy="surface", cost="nit", context=1, rng=0)
    omegas = np.linspace(1.0, 1.9, 10)
    for t, (c, A, b) in enumerate(shifted_laplacians(60, "high")):
        predicted = tuner._learner.lowest([c])
        result = tuner.solve(A, b, context=c)
        assert result.success
        if t > 0:
            actual = min(solve(A, b, omega=w).nit for w in omegas)
            assert result.nit <= 4 * max(predicted, actual) + 20


# --- whole solvers as choices


class Arms:
    """Solvers whose cost is a formula in the rows, and what was asked of them."""

    def __init__(self, **costs):
        self.costs, self.calls = costs, []

    def __call__(self, A, b, arm):
        self.calls.append((arm, b.size))
        return self.costs[arm](b.size, len(self.calls))

    def tuner(self):
        return Tuner(self, {"arm": list(self.costs)}, cost=float, rng=0)

    def full(self, arm):
        return self.calls.count((arm, SYSTEM[1].size))


SYSTEM = laplacian_2d(80), np.ones(6400)


def test_a_dear_solver_is_never_tried_in_full():
    arms = Arms(direct=lambda n, t: 1e-3 * n**2, iterative=lambda n, t: 0.1 * n**1.1, slow=lambda n, t: 40.0 * n)
    tuner = arms.tuner()
    tuner.run([(SYSTEM, None)] * 100)
    assert arms.full("iterative") == 100 and tuner.best() == {"arm": "iterative"}
    looked = sum(arms.costs[arm](n, 0) for arm, n in arms.calls if n < 6400)
    assert looked < 0.1 * 100 * arms.costs["iterative"](6400, 0)


def test_an_unlucky_look_does_not_rule_a_solver_out():
    def interrupted(n, t):
        return 0.1 * n * (50.0 if n < 6400 and t <= 5 else 1.0)

    arms = Arms(fast=interrupted, other=lambda n, t: 1.0 * n)
    arms.tuner().run([(SYSTEM, None)] * 60)
    assert arms.full("fast") > 20


def test_a_solver_that_knows_no_parts_is_tried_on_the_whole():
    def whole(n, t):
        if n < 6400:
            raise ValueError("not my matrix")
        return 10.0

    arms = Arms(parts=lambda n, t: 1.0 * n, whole=whole)
    arms.tuner().run([(SYSTEM, None)] * 40)
    assert arms.full("whole") > 25


def test_a_leader_that_becomes_dear_is_left():
    arms = Arms(first=lambda n, t: 1.0 * n if t < 60 else 50.0 * n, second=lambda n, t: 3.0 * n)
    tuner = arms.tuner()
    tuner.run([(SYSTEM, None)] * 40)
    assert tuner._learner.leader is not None and arms.full("second") <= 1
    state = tuner.clone()._learner.leader
    assert state == tuner._learner.leader
    tuner.run([(SYSTEM, None)] * 100)
    assert arms.full("second") > 50


# --- what theory is not for


def grid(kind=float, factor=1, east=0.0):
    """The Laplacian of 12 x 12 points; `east` makes it a transport to one side, no longer symmetric."""
    A = laplacian_2d(12) * factor
    A = sparse.csr_array(A + east * (sparse.eye_array(144, k=1) - sparse.eye_array(144, k=-1)))
    return sparse.csr_array(A.astype(kind))


@pytest.mark.parametrize(
    "A", [grid("int64"), grid("float32"), grid(factor=-1), grid(east=0.9), grid(east=3.0)],
    ids=["int64", "float32", "negative", "slightly unsymmetric", "very unsymmetric"],
)  # fmt: skip
def test_matrices_that_look_like_a_family(A):
    """Their diagonals are constant, and their other entries are those of the first."""
    tuner, rtol = Tuner(sor, {"omega": (0.5, 1.99)}, cost="nit", rng=0), 1e-5
    for b in np.random.default_rng(0).standard_normal((3, 144)):
        alone = sor(A, b, rtol=rtol, on_failure="ignore")
        result = tuner.solve(A, b, rtol=rtol, on_failure="ignore")
        assert result.success == alone.success and np.isfinite(result.x).all()
        if result.success:
            assert np.linalg.norm(b - A @ result.x) <= 1.001 * rtol * np.linalg.norm(b)


@pytest.mark.parametrize("solve", [sor, ssor_pcg])
def test_bad_matrices_are_named_by_a_tuner_as_by_its_solver(solve):
    good, b = grid(), np.ones(144)
    spoilt, complex_, hollow = good.copy(), good.astype(complex), good.copy()
    spoilt.data[5] = np.nan
    hollow.setdiag(0.0)
    tuner = Tuner(solve, {"omega": (1.0, 1.99)}, rng=0)
    for A, match in ((spoilt, "is nan"), (complex_, "complex"), (hollow, r"A\[0, 0\] is 0"), (good[:5], "a square")):
        with pytest.raises((InvalidInputError, InvalidTypeError), match=match):
            tuner.solve(A, b[: A.shape[0]])
    assert tuner.solve(good, b).success
    for args in ((), (good,)):
        with pytest.raises(InvalidTypeError, match="a matrix A and a right-hand side b are expected"):
            tuner.solve(*args)


def test_matrix_and_right_hand_side_by_name():
    A, b = grid(), np.arange(144.0)
    one, other = (Tuner(sor, {"omega": (1.0, 1.99)}, policy="surface", cost="nit", rng=0) for _ in range(2))
    for _ in range(12):  # long enough for runs that are stopped and gone on with
        x, y = one.solve(A, b).x, other.solve(b=b, A=A).x
        assert (x == y).all()


def test_contexts_are_checked_where_theory_needs_none():
    tuner = Tuner(sor, {"omega": (1.0, 1.99)}, context=1, rng=0)
    with pytest.raises(InvalidInputError, match="context has 2"):
        tuner.solve(grid(), np.ones(144), context=[1.0, 2.0])
    with pytest.raises(InvalidInputError, match=r"context\[0\] is nan"):
        tuner.solve(grid(), np.ones(144), context=np.nan)
    assert tuner.solve(grid(), np.ones(144), context=1.0).success
