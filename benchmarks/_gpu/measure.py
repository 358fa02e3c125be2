"""How fast is it: kernels beside the limits of the device, whole solves beside the CPU.

The limit of a row is the bytes that must move over the bandwidth that the part measured with a copy just before.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

import numopt
from benchmarks._gpu.machine import Machine
from benchmarks._gpu.report import break_even

Row = dict[str, Any]


def _sized(machine: Machine, size: int, power: int = 2) -> int:
    """Return the size of a rehearsal, or the size itself."""
    return max(8, int(size * machine.scale ** (1 / power)))


def _timed(machine: Machine, rows: list[tuple[Row, float, Callable[[Any], Any], str]]) -> Iterator[Row]:
    """Yield each row with its seconds; `call(kernels of its room)` moves so many bytes, in `most` times the limit."""
    rate = machine.copy_rate()
    for row, count, call, family in rows:
        row, most = {key: value for key, value in row.items() if key != "most"}, row.get("most")
        for room in machine.rooms:
            named = row | {"room": room}
            if machine.left() < 4.0:
                yield named | {"status": "skipped", "note": "no time was left"}
                continue
            try:
                kernels = machine.kernels(family, room)
                taken = machine.seconds(lambda call=call, kernels=kernels: call(kernels), min(3.0, machine.left() / 4))
                note = f"limit {count / rate:.3g} s by {count / 1e9:.3g} GB" if count else ""
                times = taken * rate / count if count else None
                if most and times and room != "portable":
                    named |= asked(f"{most:g} times the limit", f"{times:.2f} times", times <= most)
                yield named | {"status": "ok", "seconds": taken, "of_limit": times, "note": note}
            except Exception as error:  # out of memory, for one
                yield named | {"status": "skipped", "note": f"{type(error).__name__}: {error}"[:300]}
            machine.free()


def asked(figure: str, seen: str, holds: bool) -> Row:
    """Return what makes a row a figure that was asked for."""
    return {"asked": figure, "seen": seen, "holds": bool(holds)}


def ot(machine: Machine) -> Iterator[Row]:
    """Time passes over dense costs and over points, and whole solves."""
    n = _sized(machine, 20_000)
    C, a = _costs(machine, n), machine.xp.full((n,), 1.0 / n)
    passes: dict[str, float] = {}
    for row in _timed(machine, _passes_over_a_matrix(machine, C, a)):
        passes.setdefault(row["room"], row.get("seconds", np.inf))
        yield row
    for reg in (1e-2, 1e-3):
        for row in _solves(machine, {"what": f"solve, matrix, reg {reg:g}, tol 1e-9"}, _newton(machine, reg, a, C=C)):
            if "seconds" in row:
                many = row["seconds"] / passes[row["room"]]
                row["note"] += f"; {many:.1f} pass times"
                if row["room"] != "portable":
                    row |= asked("40 pass times", f"{many:.1f}", many <= 40)
            yield row
    del C
    machine.free()
    yield from _timed(machine, _passes_over_points(machine, n))
    machine.free()
    n = _sized(machine, 100_000)
    X, Y, a = machine.uniform(n, 3, seed=6), machine.uniform(n, 3, seed=7), machine.xp.full((n,), 1.0 / n)
    named = {"what": "solve, points, d = 3, reg 1e-2, tol 1e-9", "size": n}
    for row in _solves(machine, named, _newton(machine, 1e-2, a, X=X, Y=Y), machine.rooms[-1:]):
        if "seconds" in row:
            share = row.pop("held") / (8 * n * n)
            seen = f"{row['note']}; arrays of {share * 8e-9 * n * n:.2f} GB, {share:.1%} of the matrix of costs"
            row |= asked("1e-9 within memory for points and entries alone", seen, row["solved"] and share < 0.1)
        yield row


def _newton(machine: Machine, reg: float, a: Any, **cost: Any) -> Callable[[], Any]:
    from numopt.ot import sinkhorn_newton

    return lambda: sinkhorn_newton(
        a, a, reg=reg, tol=1e-9, max_time=max(machine.left() / 3, 1.0), on_failure="ignore", **cost
    )


def _turned(machine: Machine, X: Any) -> Any:
    return machine.xp.asarray(X.T, copy=True, order="C")


def _costs(machine: Machine, n: int) -> Any:
    """Return squared distances of points in a square."""
    X, Y = machine.uniform(n, 2, seed=4), machine.uniform(n, 2, seed=5)
    return machine.kernels("ot", "portable").cost_block((machine.normal(0, 0), X, _turned(machine, Y), 1))


def _passes_over_a_matrix(machine: Machine, C: Any, a: Any) -> list[Any]:
    n, none, g = a.shape[0], machine.normal(0, 0), 0 * a
    cost, row = (C, none, none, 0), {"size": n, "dtype": "float64"}
    return [
        (row | {"what": "row pass, matrix", "most": 1.5}, 8.0 * n * n,
         lambda k: k.row_pass(cost, a, g, g, 1e-3, False), "ot"),
        (row | {"what": "extraction, matrix"}, 16.0 * n * n, _extraction(machine, cost, a, g), "ot"),
    ]  # fmt: skip


def _passes_over_points(machine: Machine, n: int) -> list[Any]:
    found = []
    for size, d, dtype, reg in ((_sized(machine, 100_000), 3, "float64", 1e-2), (n, 64, "float32", 1.0)):
        X, Y = machine.uniform(size, d, dtype=dtype, seed=6), machine.uniform(size, d, dtype=dtype, seed=7)
        cost, single = (machine.normal(0, 0, dtype=dtype), X, _turned(machine, Y), 1), dtype == "float32"
        a = machine.xp.full((size,), 1.0 / size, dtype=X.dtype)

        def call(k: Any, cost: Any = cost, a: Any = a, reg: float = reg, single: bool = single) -> Any:
            return k.row_pass(cost, a, 0 * a, 0 * a, reg, single)

        named = f"row pass, points, d = {d}{', exp in float32' if single else ''}"
        found.append(({"what": named, "size": size, "dtype": dtype}, 0.0, call, "ot"))
    return found


def _extraction(machine: Machine, cost: Any, a: Any, g: Any) -> Callable[[Any], Any]:
    xp = machine.xp
    f, _ = machine.kernels("ot", "portable").row_pass(cost, a, g, g, 1e-3, False)
    logs = xp.log(a)
    return lambda k: k.extract(cost, f, g, 1e-3, logs, logs, float(np.log(1e-6)))


def monotone(machine: Machine) -> Iterator[Row]:
    """Time passes of the primal-dual method on a game, and a whole game."""
    n, steps = _sized(machine, 5000), 20
    pairs = []
    for dtype in ("float64", "float32"):
        A = machine.normal(n, n, dtype=dtype)
        x, none = machine.xp.full((n,), 1.0 / n), machine.normal(0)
        point, flat, zero = (x, x, x, x), (1.0, none, none), 0 * x

        def call(k: Any, A: Any = A, zero: Any = zero, point: Any = point, flat: Any = flat) -> Any:
            return k.pdhg_steps((A,), zero, zero, flat, flat, point, point, 0, 0.01, 0.01, steps)

        row = {"what": f"{steps} steps of PDHG on a game", "size": n, "dtype": dtype, "most": 2.0}
        pairs.append((row, 2.0 * steps * n * n * (8 if dtype == "float64" else 4), call, "monotone"))
    for m in (100, 1000):
        pairs += _passes_over_a_program(machine, _sized(machine, m), steps)
    yield from _timed(machine, pairs)
    from numopt.monotone import matrix_game

    A = machine.normal(n, n)

    for method, tol in (("pdhg", 1e-4), ("auto", 1e-6)):

        def solve(method: str = method, tol: float = tol) -> Any:
            return matrix_game(A, method=method, tol=tol, max_time=machine.left() / 3, on_failure="ignore")

        name = f"game to {tol:g}{' by PDHG' if method == 'pdhg' else ''}"
        rooms = machine.rooms if method == "pdhg" else machine.rooms[-1:]
        yield from _solves(machine, {"what": name, "size": n, "dtype": "float64"}, solve, rooms)


def _passes_over_a_program(machine: Machine, m: int, steps: int) -> list[Any]:
    """Return steps on the program of transport between m and m places, of m^2 variables, and its errors."""
    from numopt.gallery import transport_program

    c, A, b = transport_program(m, m)
    S, T = machine.csr(A.tocsr()), machine.csr(A.T.tocsr())
    parts = S.data, S.indices, S.indptr, T.data, T.indices, T.indptr
    c, b, x, y = machine.asarray(c), machine.asarray(b), machine.xp.zeros(m * m), machine.xp.zeros(2 * m)
    point, one, sizes = (x, y, y, x), (x + 1, y + 1), (1.0, 1.0, 1.0, 1.0)
    sets = (0.0, x, x + np.inf), (0.0, y - np.inf, y + np.inf)

    def step(k: Any) -> Any:
        return k.pdhg_steps(parts, c, b, *sets, point, point, 0, 0.1, 0.1, steps)

    def errors(k: Any) -> Any:
        return k.program_errors(c, b, x, x + np.inf, 0, one[1], one[0], sizes, 1e-3, x, y, y, x)

    row = {"size": f"{m} x {m}", "dtype": "float64"}
    entries, variables = 2.0 * m * m * 12 * 2, 8.0 * m * m  # both products; a step reads 8 vectors and writes 3
    return [
        (row | {"what": f"{steps} steps of PDHG on a transport program"}, steps * (entries + 11 * variables), step,
         "monotone"),
        (row | {"what": "errors of a transport program"}, 6 * variables, errors, "monotone"),
    ]  # fmt: skip


def red_black(machine: Machine, m: int) -> tuple[Any, Any]:
    """Return the five-point system on an m x m grid (m even), its rows by colours, and a right-hand side.

    Made as a plan would make it, without the minutes that the analysis of so many entries takes on the host.
    """
    from numopt._kernels.portable._relax_system import System, Triangle

    xp, n, where = machine.xp, m * m, {"device": machine.device}
    i, j = xp.arange(m, **where)[:, None], xp.arange(m, **where)[None, :]
    place = (i * m + j) // 2 + xp.where((i + j) % 2 == 0, 0, n // 2)  # red ones first
    order = xp.argsort(xp.reshape(place, (-1,)))
    i, j = order // m, order % m
    columns, values = [], []
    for di, dj in ((-1, 0), (0, -1), (0, 1), (1, 0)):
        inside = (i + di >= 0) & (i + di < m) & (j + dj >= 0) & (j + dj < m)
        other = xp.where(inside, (i + di) * m + j + dj, order)
        columns.append(xp.take(xp.reshape(place, (-1,)), other))
        values.append(xp.where(inside, -0.25, 0.0))
    columns, values = xp.astype(xp.stack(columns, axis=1), xp.int32), xp.stack(values, axis=1)
    half = n // 2
    zeros, fours = xp.zeros((half,), dtype=xp.int32, **where), 4 * xp.arange(half + 1, dtype=xp.int32, **where)
    flat = (-1,)
    upper = Triangle(xp.reshape(values[:half, :], flat), xp.reshape(columns[:half, :], flat),
                     xp.concat([fours, zeros + 4 * half]))  # fmt: skip
    lower = Triangle(xp.reshape(values[half:, :], flat), xp.reshape(columns[half:, :], flat), xp.concat([zeros, fours]))
    levels = np.array([[0, 0, 4], [half, 4, 0], [n, 0, 0]])
    return System((), lower, upper, xp.full((n,), 4.0, **where), levels), machine.normal(n) / 4.0


def relax(machine: Machine) -> Iterator[Row]:
    """Time red-black sweeps, and whole solves."""
    m = _sized(machine, 4000) // 2 * 2
    yield from _timed(machine, _sweeps(machine, m))
    machine.free()
    from numopt.gallery import laplacian_2d
    from numopt.relax import relax_plan, sor, ssor_pcg

    m = _sized(machine, 1000)
    A = machine.csr(laplacian_2d(m))
    b, plan = machine.normal(m * m), relax_plan(A, ordering="colour")
    for solver in (ssor_pcg, sor):
        name = {"what": f"{solver.__name__} to 1e-8, two colours", "size": f"{m} x {m}", "dtype": "float64"}

        def solve(solver: Any = solver) -> Any:
            return solver(A, b, plan=plan, rtol=1e-8, max_time=machine.left() / 4, on_failure="ignore")

        yield from _solves(machine, name, solve, machine.rooms[-1:])  # portable ones take seconds


def _sweeps(machine: Machine, m: int) -> list[Any]:
    # For an unknown: four entries of 12 bytes, b, D, x read, written and, once, gathered, and 8 for L x, which only one
    # of the colours reads and writes.
    count = 4 * 12 + 5 * 8 + 8
    system, b = red_black(machine, m)
    x, low = machine.xp.zeros_like(b), machine.xp.zeros_like(b)

    def call(k: Any) -> Any:
        return k.sor(system, b, x, low, 1.5, 0.0, 8, np.empty(8))

    row = {"what": "8 red-black sweeps", "size": f"{m} x {m}", "dtype": "float64", "most": 2.0}
    return [(row, 8.0 * count * m * m, call, "relax")]


def completion(machine: Machine) -> Iterator[Row]:
    """Time half sweeps and whole ones, what else a solve needs, and a solve with a ridge.

    The limit of a half sweep is the work of the lower triangles at the rate of a float64 product, or the bytes of the
    entries and of what is solved for: the other factor stays in the cache.
    """
    rank, square = 32, machine.normal(*[max(64, int(8192 * machine.scale**0.5))] * 2)
    rate = 2.0 * square.shape[0] ** 3 / machine.seconds(lambda: square @ square, 1.0)
    reading = machine.copy_rate()
    for count in (10_000_000, 100_000_000):
        entries = _sized(machine, count, 1)
        flops, moved, rows = entries * rank * (rank + 1.0), 8.0 * entries, _looks_at_entries(machine, entries, rank)
        rows = rows if count < 10**8 else rows[:3:2]  # the portable room would take half a minute for all
        for row in _timed(machine, [({"size": entries, "dtype": "float32", **row}, 0.0, call, "completion")
                                    for row, call in rows]):  # fmt: skip
            sweeps = row.pop("half sweeps", 0)
            if sweeps and row["status"] == "ok":
                work, read = sweeps * flops / rate, sweeps * moved / reading
                row |= {"of_limit": row["seconds"] / max(work, read),
                        "note": f"limits {work:.3g} s by {sweeps * flops / 1e9:.3g} GFLOP, {read:.3g} s by "
                                f"{sweeps * moved / 1e9:.3g} GB"}  # fmt: skip
                if row["room"] != "portable" and count == 10**8:
                    row |= asked("beside the limits of work and bytes", f"{row['seconds'] / work:.2f} times that of "
                                 f"work, {row['seconds'] / read:.1f} times that of bytes", True)  # fmt: skip
            yield row
        machine.free()
    for count in (100_000, 100_000_000):
        yield from _completed(machine, count, rank)


def _looks_at_entries(machine: Machine, entries: int, rank: int) -> list[Any]:
    """Return (row, call) for each thing that a solve does with all entries, four times as many rows as columns."""
    m = max(4, entries // 500)
    n, none = m // 4, machine.normal(0, dtype="float32")
    ptr = np.linspace(0, entries, m + 1).astype(np.int64)
    rows = machine.normal(entries, dtype="float32"), machine.integers(n, entries), ptr, none
    columns = machine.kernels("completion", machine.rooms[-1]).crossed(rows, n)
    U, V = (machine.normal(size, rank, dtype="float32", seed=5) for size in (m, n))
    ridge, base = np.full(rank, 0.1), V[:0, :]

    def half(k: Any, side: Any, V: Any) -> Any:
        return k.half_step(side, V, none, ridge, none, base, False, False)[0]

    return [
        ({"what": f"half sweep over rows, k = {rank}", "half sweeps": 1}, lambda k: half(k, rows, V)),
        ({"what": f"half sweep over columns, k = {rank}", "half sweeps": 1}, lambda k: half(k, columns, U)),
        ({"what": f"whole sweep, k = {rank}", "half sweeps": 2}, lambda k: half(k, columns, half(k, rows, V))),
        ({"what": f"gradient in the rows, k = {rank}"}, lambda k: k.gradient(rows, U, V, none, False)),
        ({"what": "entries by columns from those by rows"}, lambda k: k.crossed(rows, n)),
    ]


def _completed(machine: Machine, count: int, rank: int) -> Iterator[Row]:
    """Time a solve with a ridge, from a list of entries in no order within their rows."""
    from numopt.completion import matrix_completion

    xp, each = machine.xp, 500
    m = max(8, _sized(machine, count, 1) // each)
    n, rank = max(each, m // 4) | 1, min(rank, m // 2)
    entry = xp.arange(m * each, dtype=xp.int64, device=machine.device)
    rows = entry // each
    columns = xp.astype((xp.take(machine.integers(n, m), rows) + 2 * (entry % each)) % n, xp.int32)
    rows, y, none = xp.astype(rows, xp.int32), machine.normal(m * each, dtype="float32"), machine.normal(0)
    U, V = (machine.normal(size, 8, dtype="float32", seed=seed) for size, seed in ((m, 6), (n, 7)))
    side = y, columns, each * np.arange(m + 1), xp.astype(none, y.dtype)
    y = machine.kernels("completion", machine.rooms[-1]).residuals(side, -U, V, side[3])  # noise and U V^T
    del entry, U, V, side

    def solve() -> Any:
        return matrix_completion((rows, columns, y, (m, n)), rank, ridge=3.0, method="als", tol=1e-3, rng=0,
                                 max_time=machine.left() / 3, on_failure="ignore")  # fmt: skip

    yield from _solves(machine, {"what": f"completion with a ridge to 1e-3, k = {rank}", "size": m * each,
                                 "dtype": "float32"}, solve, machine.rooms[-1:])  # fmt: skip


def _steps(machine: Machine) -> list[Any]:
    pairs = []
    for dtype, size in (("float32", 20_000), ("float64", 10_000)):
        n, item = _sized(machine, size), 4 if dtype == "float32" else 8
        T, V = machine.normal(n, n, dtype=dtype), machine.normal(n, 30, dtype=dtype, seed=6)
        T, w = T + T.T, machine.uniform(20, dtype=dtype)

        def step(k: Any, T: Any = T, V: Any = V, w: Any = w) -> Any:
            return k.split_step(T, V[:, :20], w, 1.8)

        def product(k: Any, T: Any = T, V: Any = V) -> Any:
            return k.abs_times(T, V)

        row = {"size": n, "dtype": dtype}  # a step reads the upper triangle and writes the whole matrix
        pairs.append((row | {"what": "step of the splitting, 20 vectors"}, 1.5 * n * n * item, step, "clustering"))
        pairs.append((row | {"what": "product with |T|, 30 vectors"}, 1.0 * n * n * item, product, "clustering"))
    n = max(_sized(machine, 1_000_000, 1), 100)
    X, R = machine.normal(n, 20), machine.uniform(1, n, 10)
    R = R / machine.xp.sum(R, axis=2, keepdims=True)
    row = {"what": "5 steps of EM, 10 groups in 20 dimensions", "size": n, "dtype": "float64"}
    pairs.append((row, 0.0, lambda k: k.em(X, R, 5, 1e-3, "oas", True), "mixture"))
    return pairs


def clustering(machine: Machine) -> Iterator[Row]:
    """Time passes over the matrix of the splitting, steps of EM, and whole relaxations."""
    yield from _timed(machine, _steps(machine))
    machine.free()
    from numopt.clustering import kmeans_sdp
    from numopt.gallery import isotropic_clusters

    for size, rooms, method in ((20_000, ("cuda",), "auto"), (20_000, ("cuda",), "dr"), (3000, None, "dr")):
        n = max(_sized(machine, size, 1), 40)
        X = machine.asarray(isotropic_clusters(n, 20, 4, 5.0)[0], "float32")
        row = {"what": f"relaxation of Peng and Wei to 1e-4, {method}", "size": n, "dtype": "float32"}

        def solve(X: Any = X, method: str = method) -> Any:
            most = max(machine.left() / 3, 1.0)
            return kmeans_sdp(X, 4, method=method, tol=1e-4, rng=0, max_time=most, on_failure="ignore")

        for found in _solves(machine, row, solve, rooms):
            if size == 20_000 and "seconds" in found:
                holds = found["solved"] and found["seconds"] <= 30.0
                found |= asked("n = 20000 to 1e-4 in at most 30 s", f"{found['seconds']:.1f} s", holds)
            yield found


def _solves(machine: Machine, row: Row, solve: Callable[[], Any], rooms: Sequence[str] | None = None) -> Iterator[Row]:
    """Yield a whole solve with each room, after one to warm up if there is time."""
    for room in machine.rooms if rooms is None else rooms:
        named = row | {"room": room}
        if machine.left() < 6.0:
            yield named | {"status": "skipped", "note": "no time was left"}
            continue
        machine.free()
        try:
            with machine.room(room):
                taken, result = _once(machine, solve)
                held = machine.held()
                if taken < machine.left() / 4:
                    taken, result = _once(machine, solve)
            certificate = next(iter(result.certificate.items()))
            note = f"{result.nit} iterations, {certificate[0]} {certificate[1]:.1e}, {result.status.name}"
            yield named | {"status": "ok", "seconds": taken, "note": note, "solved": result.success, "held": held}
        except Exception as error:
            yield named | {"status": "wrong", "note": f"{type(error).__name__}: {error}"[:300]}
        machine.free()


def _once(machine: Machine, solve: Callable[[], Any]) -> tuple[float, Any]:
    machine.wait()
    began = time.perf_counter()
    result = solve()
    machine.wait()
    return time.perf_counter() - began, result


def against_the_cpu(machine: Machine) -> Iterator[Row]:
    """Find the size from which a solve is faster here than on this machine's CPU, with all its threads."""
    if machine.name == "cupy":
        for family in ("ot", "monotone", "relax", "completion", "clustering"):
            numopt.warmup("float64", family)
    for name, sizes, problem in (
        ("ot, n", (500, 2000, 5000), _transport), ("monotone, n", (500, 2000, 4000), _game),
        ("relax, unknowns", (2500, 40_000, 250_000), _grid),
        ("completion, entries", (50_000, 500_000, 2_000_000), _ratings),
        ("clustering, n", (500, 1500, 3000), _relaxation),
    ):  # fmt: skip
        done: list[int] = []
        ours: list[float] = []
        cpu: list[float] = []
        for size in (_sized(machine, size) for size in sizes):
            if machine.left() < 6.0:
                yield {"what": name, "size": size, "status": "skipped", "note": "no time was left"}
                continue
            data, solve = problem(size)
            there = tuple(machine.csr(x) if hasattr(x, "indptr") else machine.asarray(x) for x in data)
            limit = machine.left() / 16
            try:
                here, one = _least(machine, lambda solve=solve, there=there, limit=limit: solve(*there, limit))
                taken, two = _least(machine, lambda solve=solve, data=data, limit=limit: solve(*data, limit))
            except Exception as error:
                yield {"what": name, "size": size, "status": "wrong", "note": f"{type(error).__name__}: {error}"[:300]}
                break
            for room, seconds, result in (("device", here, one), ("CPU", taken, two)):
                yield {"what": name, "size": size, "status": "ok", "room": room, "seconds": seconds,
                       "note": result.status.name}  # fmt: skip
            if one.success and two.success:
                done, ours, cpu = [*done, size], [*ours, here], [*cpu, taken]
        row = {"what": f"{name}, break-even size", "status": "skipped", "note": "fewer than two sizes were solved"}
        if len(done) > 1:
            found = break_even(done, ours, cpu)
            note = f"above {done[-1]}" if found is None else f"below {done[0]}" if found == 0 else f"{found:.0f}"
            row |= {"status": "ok", "note": note}
        yield row


def _least(machine: Machine, solve: Callable[[], Any]) -> tuple[float, Any]:
    """Return the least seconds of three solves after one to warm up, and the last result."""
    runs = [_once(machine, solve) for _ in range(4)]
    return min(seconds for seconds, _ in runs[1:]), runs[-1][1]


def _transport(n: int) -> tuple[tuple[Any, ...], Callable[..., Any]]:
    from numopt.ot import sinkhorn_newton

    rng = np.random.default_rng(1)
    X, Y, a = rng.random((n, 2)), rng.random((n, 2)), np.full(n, 1.0 / n)
    C = ((X[:, None] - Y) ** 2).sum(axis=2)
    return (a, a, C), lambda a, b, C, most: sinkhorn_newton(
        a, b, C, reg=1e-2, tol=1e-9, max_time=most, on_failure="ignore"
    )


def _game(n: int) -> tuple[tuple[Any, ...], Callable[..., Any]]:
    from numopt.monotone import matrix_game

    A = np.random.default_rng(1).standard_normal((n, n))
    return (A,), lambda A, most: matrix_game(A, method="pdhg", tol=1e-3, max_time=most, on_failure="ignore")


def _grid(n: int) -> tuple[tuple[Any, ...], Callable[..., Any]]:
    from numopt.gallery import laplacian_2d
    from numopt.relax import ssor_pcg

    A = laplacian_2d(max(4, round(n**0.5)))
    return (A, np.ones(A.shape[0])), lambda A, b, most: ssor_pcg(A, b, rtol=1e-8, max_time=most, on_failure="ignore")


def _ratings(count: int) -> tuple[tuple[Any, ...], Callable[..., Any]]:
    from numopt.completion import matrix_completion

    n, rng = round((5 * count) ** 0.5), np.random.default_rng(1)
    m, rank = 2 * n, max(1, min(10, count // (10 * n)))  # a tenth of the matrix is known; 10 but for a rehearsal
    place = np.sort(rng.choice(m * n, count, replace=False))
    i, j = np.divmod(place, n)
    values = (rng.standard_normal((m, rank))[i] * rng.standard_normal((n, rank))[j]).sum(axis=1)

    def solve(i: Any, j: Any, values: Any, most: float) -> Any:
        return matrix_completion((i, j, values, (m, n)), rank, tol=1e-6, max_time=most, rng=0, on_failure="ignore")

    return (i, j, values), solve


def _relaxation(n: int) -> tuple[tuple[Any, ...], Callable[..., Any]]:
    from numopt.clustering import kmeans_sdp
    from numopt.gallery import isotropic_clusters

    X = isotropic_clusters(max(n, 40), 20, 4, 5.0)[0]
    return (X,), lambda X, most: kmeans_sdp(X, 4, method="dr", tol=1e-3, rng=0, max_time=most, on_failure="ignore")


PARTS: dict[str, Callable[[Machine], Iterator[Row]]] = {
    "bench-ot": ot,
    "bench-monotone": monotone,
    "bench-relax": relax,
    "bench-completion": completion,
    "bench-clustering": clustering,
    "break-even": against_the_cpu,
}
