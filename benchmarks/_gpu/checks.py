"""Is it right: kernels against plain NumPy on fresh random inputs, solvers against the CPU, the tests marked `cuda`."""

from __future__ import annotations

import importlib.util
import itertools
import os
import re
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

import numopt
from benchmarks._gpu.machine import TABLE, Machine, wrong_by
from numopt import _array
from numopt._csr import as_csr, csr

ROOT = Path(__file__).resolve().parents[2]
Row = dict[str, Any]
ROUNDED = 1e-5  # of a direction from a plan that was rounded to float32
ON_A_DEVICE = re.compile(r"mark\.cuda|def \w+\([^)]*\bxp\b")  # in a file of tests that may use one
SLACK = {"float64": 1e-10, "float32": 2e-4}  # relative error in the norm; TF32 would show by 1e-3


def device(machine: Machine) -> Iterator[Row]:
    """Say what the device is, how fast it copies, and whether float32 products are float32."""
    yield {"what": "facts", "status": "ok", "facts": machine.facts()}
    xp, n = machine.xp, max(16, int(2048 * machine.scale**0.5))
    A, B = (machine.normal(n, n, dtype="float32", seed=seed) for seed in (1, 2))
    exact = machine.to_numpy(A).astype(float) @ machine.to_numpy(B).astype(float)
    off = wrong_by(machine.to_numpy(A @ B), exact)
    yield {"what": "float32 product", "size": n, "dtype": "float32", "error": off, "status": _verdict(off, 1e-5)}
    rate = machine.copy_rate()
    yield {"what": "copy", "status": "ok", "note": f"{rate / 1e12:.2f} TB/s", "facts": {"bytes_per_second": rate}}
    machine.free()
    for dtype, most in (("float64", 8192), ("float32", 8192)):
        n = max(16, int(most * machine.scale**0.5))
        A = machine.normal(n, n, dtype=dtype)
        taken = machine.seconds(lambda A=A: A @ A)
        yield {"what": "product", "status": "ok", "size": n, "dtype": dtype, "seconds": taken,
               "note": f"{2 * n**3 / taken / 1e12:.1f} TFLOP/s"}  # fmt: skip
    M = xp.asarray(np.array([[1.0, 2.0], [2.0, 1.0]]), device=machine.device)  # indefinite
    try:
        factor = machine.to_numpy(xp.linalg.cholesky(M))
        said = "returned NaN" if np.isnan(factor).any() else f"returned {factor.tolist()}"
    except Exception as error:  # each library has its own
        said = f"raised {type(error).__name__}"
    yield {"what": "Cholesky factor of an indefinite matrix", "status": "ok", "note": said}


def check(machine: Machine, family: str) -> Iterator[Row]:
    """Compare every room with NumPy in float64; what a CUDA kernel forgets to write is NaN."""
    for room in machine.rooms:
        if not machine.has(family, room):
            continue
        try:
            kernels = machine.kernels(family, room)
        except Exception as error:
            yield {"what": f"kernels of {family}", "room": room, "status": "wrong", "note": repr(error)}
            continue
        if room == "cuda" and machine.name == "cupy":
            _poison()
        for dtype in ("float64", "float32"):
            for name, call in CASES[family](np.random.default_rng(machine.seed), dtype, machine):
                if machine.left() < 1.0:
                    yield {"what": name, "room": room, "dtype": dtype, "status": "skipped", "note": "no time was left"}
                    continue
                yield {"what": name, "room": room, "dtype": dtype} | _compared(machine, call, kernels, dtype)


def _compared(machine: Machine, call: partial[Any], kernels: Any, dtype: str) -> Row:
    """Return error and status; `call(kernels, move)` gives what it finds with kernels on moved arrays."""
    try:
        found = [machine.to_numpy(x) for x in call(kernels, machine.asarray)]
        reference = TABLE(call.keywords["family"], "portable")
        wanted = [_array.host(x) for x in call(reference, _double)]
        off = max(wrong_by(x, y) for x, y in zip(found, wanted, strict=True))
        slack = max(SLACK[dtype], ROUNDED if call.keywords.get("direction") or call.keywords.get("single") else 0.0)
        return {"error": off, "status": _verdict(off, slack), "note": f"seed {machine.seed}"}
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        note = f"{type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})"
        return {"status": "wrong", "note": " ".join(note.split())[:300]}


def _double(x: Any, dtype: Any = None) -> Any:
    """Return host data in float64, with the values it has in its own dtype."""
    x = np.array(x, dtype=dtype)
    return x.astype(float) if x.dtype.kind == "f" else x


def _poison() -> None:
    """Let the arrays that CUDA kernels write to begin as NaN, or as numbers that are no index."""
    import cupy

    from numopt._kernels.cuda import _launch

    plain = cupy.empty

    def empty(shape: Any, dtype: Any) -> Any:
        out = plain(shape, dtype=dtype)
        kind = np.dtype(dtype)
        out.fill(np.nan if kind.kind == "f" else np.iinfo(kind).max)
        return out

    for module in [m for name, m in sys.modules.items() if name.startswith("numopt._kernels.cuda.")]:
        if getattr(module, "empty", None) is _launch.empty and module is not _launch:
            module.empty = empty


Case = tuple[str, "partial[Any]"]


def _ot(rng: Any, dtype: str, machine: Machine) -> Iterator[Case]:
    n, m = machine.toy(700), machine.toy(1300)
    X, Y = rng.random((n, 3)).astype(dtype), rng.random((m, 3)).astype(dtype)
    C = ((X[:, None] - Y) ** 2).sum(axis=2)
    a, b = (v.astype(dtype) for v in (rng.dirichlet(np.ones(n)), rng.dirichlet(np.ones(m))))
    g = (0.05 * rng.standard_normal(m)).astype(dtype)
    none, reg = np.empty((0, 0), dtype), 0.02
    costs = {"matrix": (C, none, none, 0)} | {f"kind {k}": (none, X, np.ascontiguousarray(Y.T), k) for k in (1, 2, 3)}
    for label, cost in costs.items():
        yield f"row_pass, {label}", partial(_row_pass, cost=cost, a=a, g=g, reg=reg, family="ot")
        yield f"plan_sums, {label}", partial(_plan_sums, cost=cost, a=a, g=g, reg=reg, family="ot")
    X, Y = rng.random((n, 24)).astype(dtype), rng.random((m, 24)).astype(dtype)
    far = none, X, np.ascontiguousarray(Y.T), 1
    yield "row_pass, 24 coordinates", partial(_row_pass, cost=far, a=a, g=g, reg=10 * reg, single=True, family="ot")
    pattern = partial(_pattern, cost=costs["kind 1"], a=a, b=b, g=g, reg=reg, family="ot")
    yield "extract and its sums", partial(pattern, direction=False)
    yield "direction on these entries", partial(pattern, direction=True)  # which are rounded to float32


def _moved_cost(cost: Any, move: Any) -> Any:
    return (*(move(x) for x in cost[:3]), cost[3])


def _row_pass(k: Any, move: Any, cost: Any, a: Any, g: Any, reg: float, family: str, single: bool = False) -> Any:
    cost, a, g = _moved_cost(cost, move), move(a), move(g)
    return k.plan_pass(cost, a, 0 * a, g, reg, single)


def _plan_sums(k: Any, move: Any, cost: Any, a: Any, g: Any, reg: float, family: str) -> Any:
    cost, a, g = _moved_cost(cost, move), move(a), move(g)
    f, _ = k.row_pass(cost, a, 0 * a, g, reg, False)
    return k.plan_sums(cost, f, g, reg)


def _pattern(
    k: Any, move: Any, cost: Any, a: Any, b: Any, g: Any, reg: float, family: str, direction: bool
) -> Any:
    xp = _array.namespace(move(a))
    cost, a, b, g = _moved_cost(cost, move), move(a), move(b), move(g)
    f, _ = k.row_pass(cost, a, 0 * a, g, reg, False)
    K = k.extract(cost, f, g, reg, xp.log(a), xp.log(b), -12.0)
    w = xp.ones_like(b)
    s, c = k.pattern_eval(*K, a, w)
    if not direction:
        return s, c
    group, count = k.groups(cost, f)
    d, _ = k.pattern_direction(*K, a, b, w, s, group, count, 0.0, b - c, 1e-3, 1e-12, 400)
    return (d,)


def _monotone(rng: Any, dtype: str, machine: Machine) -> Iterator[Case]:
    import scipy.sparse as sparse

    m, n = machine.toy(1100), machine.toy(900)
    A = rng.standard_normal((m, n)).astype(dtype)
    S = as_csr(sparse.csr_array(A * (rng.random((m, n)) < 0.1)))
    T = as_csr(S.T)
    vectors = {"x": rng.random(n), "y": rng.random(m), "c": rng.standard_normal(n), "b": rng.standard_normal(m)}
    for label, parts in (("dense", (A,)), ("sparse", (S.data, S.indices, S.indptr, T.data, T.indices, T.indptr))):
        yield f"products, {label}", partial(_products, parts=parts, family="monotone", **vectors)
        yield f"bidiagonal, {label}", partial(_bidiagonal, parts=parts, x=vectors["c"], family="monotone")
        for simplex in (False, True):
            call = partial(_pdhg, parts=parts, simplex=simplex, family="monotone", **vectors)
            yield f"pdhg_steps, {label}, {'simplex' if simplex else 'box'}", call
        yield f"errors of a program, {label}", partial(_program, parts=parts, family="monotone", **vectors)


def _products(k: Any, move: Any, parts: Any, x: Any, y: Any, c: Any, b: Any, family: str) -> Any:
    return k.products(tuple(map(move, parts)), move(x), move(y))


def _bidiagonal(k: Any, move: Any, parts: Any, x: Any, family: str) -> Any:
    normal = np.full(x.size, x.size**-0.5)
    return (k.bidiagonal(tuple(map(move, parts)), move(x), move(normal), move(np.empty(0)), 4),)


def _pdhg(k: Any, move: Any, parts: Any, simplex: bool, x: Any, y: Any, c: Any, b: Any, family: str) -> Any:
    parts, (x, y, c, b) = tuple(map(move, parts)), map(move, (x, y, c, b))
    none = move(np.empty(0))
    X = (1.0, none, none) if simplex else (0.0, x - 1, x + 0.5)
    point = (x, y, *k.products(parts, x, y))
    after, hat, moved = k.pdhg_steps(parts, c, b, X, (0.0, y - 1, y + 1), point, point, 0, 0.02, 0.02, 5)
    return *after, *hat, *moved


def _program(k: Any, move: Any, parts: Any, x: Any, y: Any, c: Any, b: Any, family: str) -> Any:
    parts, (x, y, c, b) = tuple(map(move, parts)), map(move, (x, y, c, b))
    absolute = tuple(part if q % 3 else abs(part) for q, part in enumerate(parts))
    rows, columns = k.largest(absolute, y, x)
    sizes = 1.5, 0.75, 2.0, 0.5
    errors = k.program_errors(c, b, x - 1, x + 1, 3, rows + 1, columns + 1, sizes, 1e-3, x, y, *k.products(parts, x, y))
    return rows, columns, *errors


def _relax(rng: Any, dtype: str, machine: Machine) -> Iterator[Case]:
    if dtype == "float32":  # relaxation computes in float64
        return
    from numopt.gallery import laplacian_2d

    for m, ordering in ((machine.toy(200), "colour"), (machine.toy(60), "natural")):  # several blocks, and one
        A, b = laplacian_2d(m), rng.standard_normal(m * m)
        for method in ("sor", "ssor", "pcg"):
            call = partial(_relaxed, A=A, b=b, ordering=ordering, method=method, family="relax")
            yield f"{method}, order {ordering}", call


def _relaxed(k: Any, move: Any, A: Any, b: Any, ordering: str, method: str, family: str) -> Any:
    from numopt.relax._plan import plan_of
    from numopt.relax._problem import matrix

    b = move(b)
    xp = _array.namespace(b)
    places = move(np.repeat(np.arange(A.shape[0]), np.diff(A.indptr))), move(A.indices)
    rows = matrix(csr(move(A.data), *places, A.shape))
    plan = plan_of(rows, ordering)
    system, _ = plan.system(rows.data)
    rhs = plan.sorted(b) / system.diagonal
    x, y, p, t, g = (xp.zeros_like(b) for _ in range(5))
    squares, coefficients = np.full(30, np.nan), np.full((29, 2), np.nan)
    if method == "pcg":
        k.pcg_start(system, rhs, x, 1.2, g)
        k.pcg(system, x, g, y, p, t, np.zeros(3), 1.2, 0.0, 29, squares, coefficients)
        return x, squares[:4]  # the others are rounding in a rehearsal
    if method == "ssor":
        k.ssor(system, rhs, x, y, p, t, 1.5, 0.0, 30, squares)
    else:
        k.sor(system, rhs, x, y, 1.5, 0.0, 30, squares)
    return x, squares


def _completion(rng: Any, dtype: str, machine: Machine) -> Iterator[Case]:
    width = machine.toy(6000)  # the longest row is shared out
    counts = np.concatenate(([0, 1, width], rng.integers(0, min(width, 60), machine.toy(200))))
    ptr = np.concatenate(([0], np.cumsum(counts)))
    index = np.concatenate([rng.permutation(width)[:c] for c in counts]).astype("int32")
    y, w = rng.standard_normal(ptr[-1]).astype(dtype), (rng.random(ptr[-1]) + 0.5).astype(dtype)
    for rank in (5, 32, 64):
        V, U = (rng.standard_normal((size, rank)).astype(dtype) for size in (width, counts.size))
        for weights in (w[:0], w):
            side = {"side": (y, index, weights), "ptr": ptr, "V": V, "family": "completion"}
            named = f"rank {rank}{', weights' if weights.size else ''}"
            yield f"half_step, {named}", partial(_half_step, **side)
            yield f"gradient, residuals and products, {named}", partial(_looks, U=U, **side)


def _half_step(k: Any, move: Any, side: Any, ptr: Any, V: Any, family: str) -> Any:
    y, index, weights = side
    side = move(y), move(index), ptr, move(weights)
    none, base = move(y[:0]), move(np.empty((0, V.shape[1]), V.dtype))
    return k.half_step(side, move(V), none, np.full(V.shape[1], 0.1), none, base, False)[:2]


def _looks(k: Any, move: Any, side: Any, ptr: Any, V: Any, U: Any, family: str) -> Any:
    y, index, weights = side
    side, U, V, none = (move(y), move(index), ptr, move(weights)), move(U), move(V), move(y[:0])
    return *k.gradient(side, U, V, none), k.residuals(side, U, V, none), k.multiply(side, side[0], V)


def _clustering(rng: Any, dtype: str, machine: Machine) -> Iterator[Case]:
    for n, rank in ((1, 1), (machine.toy(333), 20), (machine.toy(1000), 37)):
        T, V = (rng.standard_normal(shape).astype(dtype) for shape in ((n, n), (n, rank)))
        T, w = T + T.T, rng.random(rank).astype(dtype)
        yield f"split_step, n = {n}", partial(_split_step, T=T, V=V, w=w, family="clustering")
        yield f"products, n = {n}", partial(_matrix_times, T=T, V=V, family="clustering")
        yield f"below_zero, n = {n}", partial(_below_zero, V=V, w=w, family="clustering")
        yield f"orthonormal, n = {n}", partial(_projector, V=V[:, : min(n, rank)], family="clustering")
    for n, p, k in ((machine.toy(5000), 20, 5), (machine.toy(900), 3, 2)) if dtype == "float64" else ():
        X, labels = rng.standard_normal((n, p)), np.arange(n) % k
        yield f"points with labels, n = {n}", partial(_labelled, X=X, labels=labels, k=k, family="clustering")


def _split_step(k: Any, move: Any, T: Any, V: Any, w: Any, family: str) -> Any:
    return k.split_step(move(T), move(V), move(w), 1.8)


def _matrix_times(k: Any, move: Any, T: Any, V: Any, family: str) -> Any:
    return k.abs_times(move(T), move(V)), k.negative_times(move(T), move(V))


def _projector(k: Any, move: Any, V: Any, family: str) -> Any:
    Q = k.orthonormal(move(V))
    return (Q @ Q.T,)


def _labelled(kernels: Any, move: Any, X: Any, labels: Any, k: int, family: str) -> Any:
    X, labels = move(X), move(labels)
    sizes, sums = kernels.label_sums(X, labels, k)
    given = X, labels, sums / sizes[:, None], sizes
    return *kernels.lloyd_pass(X, X[:k, :]), sizes, sums, *kernels.spread(*given), *kernels.pair_grams(*given, 3.0)


def _mixture(rng: Any, dtype: str, machine: Machine) -> Iterator[Case]:
    if dtype == "float32":  # mixtures compute in float64
        return
    for n, p, k in ((machine.toy(4000), 20, 10), (machine.toy(900), 3, 4)):
        X, R = rng.standard_normal((n, p)), rng.dirichlet(np.ones(k), (2, n))
        for kind in ("oas", "none", "tied"):
            yield f"em, {n} points in {p} dimensions, {kind}", partial(_em, X=X, R=R, kind=kind, family="mixture")


def _em(k: Any, move: Any, X: Any, R: Any, kind: str, family: str) -> Any:
    X, R = move(X), move(R)
    weights, means, covariances = k.m_step(X, R, 1e-3, kind)
    after, value = k.em(X, R, 2, 1e-3, kind, True)
    return weights, means, covariances, k.log_densities(X, means, covariances), after, value


def _below_zero(k: Any, move: Any, V: Any, w: Any, family: str) -> Any:
    return k.below_zero(move(V), move(w))


CASES = {"ot": _ot, "monotone": _monotone, "relax": _relax, "completion": _completion, "clustering": _clustering,
         "mixture": _mixture}  # fmt: skip


def parity(machine: Machine, dtype: str) -> Iterator[Row]:
    """Solve every case of the contract tests on the CPU and here, in every room, and compare the certificates."""
    from numopt._solver import REGISTRY
    from tests.contract.cases import CASES as solvers
    from tests.contract.cases import load_all_rooms
    from tests.contract.harness import Call, all_finite, arrays

    load_all_rooms()
    plain = SimpleNamespace(asarray=lambda x: x, to_numpy=_array.host)
    for room, case in itertools.product(machine.rooms[::-1], solvers):  # what matters most comes first
        if dtype not in REGISTRY[case.name].dtypes or not machine.has(case.name.split(".")[0], room) or case.backends:
            continue
        row = {"what": str(case), "dtype": dtype, "room": room}
        if machine.left() < 2.0:
            yield row | {"status": "skipped", "note": "no time was left"}
            continue
        try:
            with numopt.use_kernels("portable"):  # the others take a minute to compile
                there = Call(case, plain, dtype)()
            call = Call(case, machine, dtype)
            with machine.room(room):
                here = call()
            judged = next(iter(here.certificate))
            again = call.recompute(here) - here.certificate[case.certificate]
            good = (
                here.success and there.success and all_finite(here, machine)
                and here.certificate[judged] <= call.tol
                and abs(again) <= 0.05 * (abs(here.certificate[case.certificate]) + call.tol)
                and all(machine.owns(x) for x in arrays(here).values())
            )  # fmt: skip
            note = f"{judged} {here.certificate[judged]:.1e}, on the CPU {there.certificate[judged]:.1e}"
            yield row | {"status": "ok" if good else "wrong", "note": f"{note}; {here.message}"[:200]}
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            note = f"{type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})"
            yield row | {"status": "wrong", "note": " ".join(note.split())[:300]}


def files_of_tests() -> list[str]:
    """Return the files of tests of which some may use a device, relative to the root."""
    files = sorted((ROOT / "tests").rglob("test_*.py"))
    return [file.relative_to(ROOT).as_posix() for file in files if ON_A_DEVICE.search(file.read_text(encoding="utf8"))]


def tests(machine: Machine) -> Iterator[Row]:
    """Run the tests marked `cuda`."""
    missing = [name for name in ("pytest",) if importlib.util.find_spec(name) is None]
    if missing:
        yield {"what": "tests marked cuda", "status": "skipped", "note": f"{', '.join(missing)} is not installed"}
        return
    chosen = ["-m", "cuda", *files_of_tests()]
    if machine.name != "cupy":
        chosen = ["-k", "portable_room", "tests/core/test_kernels.py"]
    without = [option for plugin in ("cacheprovider", "benchmark") for option in ("-p", f"no:{plugin}")]
    command = [sys.executable, "-m", "pytest", "-q", "--maxfail=40", *without, *chosen]
    if importlib.util.find_spec("xdist"):
        command += ["-n", str(min(12, (os.cpu_count() or 1) * 3 // 4 + 1)), "--dist", "worksteal"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    late, pipe = "", subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=subprocess.STDOUT, text=True, env=environment) as run:
        try:
            text, _ = run.communicate(timeout=max(machine.left() - 10.0, 1.0))
        except subprocess.TimeoutExpired:
            run.send_signal(signal.SIGINT)  # it tells what it has found so far
            late, (text, _) = "no time was left for all of them: ", run.communicate()
    lines = text.strip().split("\n")
    failed = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    yield from ({"what": line[:200], "status": "wrong"} for line in failed)
    status = "wrong" if failed or (run.returncode not in (0, 5) and not late) else "skipped" if late else "ok"
    counts = [line for line in lines if " passed" in line or " failed" in line or " deselected" in line]
    yield {"what": "tests marked cuda", "status": status, "note": late + (counts or lines)[-1]}


PARTS: dict[str, Callable[[Machine], Iterator[Row]]] = {
    "device": device,
    **{f"check-{family}": partial(check, family=family) for family in CASES},
    **{f"parity-{dtype}": partial(parity, dtype=dtype) for dtype in SLACK},
    "tests": tests,
}


def _verdict(off: float, most: float) -> str:
    return "ok" if off <= most else "wrong"
