"""
How few entries are enough?
===========================

A matrix of rank r has r (m + n - r) degrees of freedom. With fewer entries than that no method can know it; with
several times as many, all methods do. What happens in between, when the singular values differ by a factor of ten?
"""

import numpy as np
from matplotlib import pyplot as plt

import numopt
from numopt.completion import matrix_completion
from numopt.gallery import low_rank

numopt.warmup("float64", "completion")

# %%
# Four methods, six matrices for each number of entries
# -----------------------------------------------------
# A run has found the matrix if entries that nobody saw are right to three digits. It may also *say* that it has: for
# the default these runs are counted too, and those that say so and are wrong.

size, rank, seeds = 80, 3, 6
methods = {
    "auto": "auto: rank continuation",
    "vpgn": "Gauss-Newton from the spectral start",
    "als": "alternating least squares",
    "scaledgd": "scaled gradient descent",
}
oversampling = np.array([0.9, 1.3, 1.6, 2.0, 2.5, 3.0, 4.0])
found = {method: np.zeros(oversampling.size) for method in methods}
claimed, wrong = np.zeros(oversampling.size), 0

for at, share in enumerate(oversampling):
    for seed in range(seeds):
        p = low_rank(size, size, rank, oversampling=share, condition=10, rng=seed)
        for method in methods:
            result = matrix_completion(
                p[:4], rank, method=method, max_iter=200, tol=1e-6, rng=seed, on_failure="ignore"
            )
            off = result.predict(p.test_rows, p.test_cols) - p.test_values
            right = np.linalg.norm(off) < 1e-3 * np.linalg.norm(p.test_values)
            found[method][at] += right / seeds
            if method == "auto":
                claimed[at] += result.success / seeds
                wrong += result.success and not right

for share, *counts in zip(oversampling, *found.values(), claimed, strict=True):
    print(f"oversampling {share:.1f}:", *(f"{count:.2f}" for count in counts))
print(f"successes that were none: {wrong}")

# %%
# Rank continuation finds what the others miss. Where it has found nothing it does not say that it has: below 1 the
# entries cannot determine the matrix, above no way out of wrong ones may have been found.

figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for (method, label), colour in zip(methods.items(), ("#0b6e99", "#d9730d", "#448361", "#9b9a97"), strict=True):
    ax.plot(oversampling, found[method], marker="o", color=colour, label=label)
ax.plot(oversampling, claimed, color="black", linestyle="dotted", label="auto says that it has found it")
ax.axvline(1.0, color="black", linewidth=0.8)
ax.set_xlabel("entries over degrees of freedom")
ax.set_ylabel(f"share of {seeds} matrices that were found")
ax.set_ylim(-0.05, 1.05)
ax.legend(frameon=False)
