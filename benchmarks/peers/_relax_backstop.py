"""Sequences that mislead a learner, and what the worst run costs then."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from benchmarks.peers import Figure
from benchmarks.peers._relax_instances import Sequence, shifted
from benchmarks.peers._relax_ours import new_tuner
from benchmarks.peers._relax_peers import bind_sor

LENGTH = 300
GRID = np.linspace(1.0, 1.98, 40)
SEEDS = range(3)


def backstop() -> Iterator[Figure]:
    """Yield one figure for each sequence and policy."""
    from numopt.relax import sor

    systems = shifted(LENGTH, "high")
    solve = bind_sor(next(iter(systems))[1])
    # All sequences are made of the same systems, in other orders or with other contexts.
    least_of = {id(b): min(solve(A, b, None, omega)[1] for omega in GRID) for _, A, b in systems}
    for name, sequence in misleading(systems).items():
        for policy in ("auto", "surface"):
            worst, ratio = -np.inf, 0.0
            for seed in SEEDS:
                tuner = new_tuner(sor, sequence, policy, seed)
                for context, A, b in sequence:
                    least = least_of[id(b)]
                    predicted, _ = tuner.predict(context)
                    cost = tuner.run([((A, b), context)]).total
                    known = max(least, predicted) if np.isfinite(predicted) else least
                    worst, ratio = max(worst, cost - 4 * known - 20), max(ratio, cost / least)
            seen = f"at most {ratio:.3g} times the best of {GRID.size} omegas; bound kept by {-worst:.0f} iterations"
            yield Figure(
                f"7, {name}, {policy}, {len(SEEDS)} seeds", "4 max(predicted, best) + 20 iterations", seen, worst <= 0
            )


def misleading(sequence: Sequence) -> dict[str, Sequence]:
    """Return the systems in bad orders, or with contexts that lie or say nothing."""
    systems = list(sequence)
    rng = np.random.default_rng(0)
    contexts = rng.permutation([context for context, _, _ in systems])
    ordered = sorted(systems, key=lambda system: -system[0])  # the hardest last
    half = LENGTH // 2
    variants = {
        "contexts shuffled": [(float(c), A, b) for c, (_, A, b) in zip(contexts, systems, strict=True)],
        "contexts negated halfway": [*systems[:half], *((-c, A, b) for c, A, b in systems[half:])],
        "harder and harder": ordered,
        "easy, then the hardest": [*ordered[:half], *ordered[: half - 1 : -1]],
        "context says nothing": [(float(rng.random()), A, b) for _, A, b in systems],
    }
    return {name: replace(sequence, make=lambda systems=systems: systems) for name, systems in variants.items()}
