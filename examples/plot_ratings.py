"""
Ratings: how many tastes are there?
===================================

Users rate a few of many items. A model of biases and tastes predicts the others; how many tastes it should have is
found on ratings that it has not seen.
"""

import warnings

import numpy as np
from matplotlib import pyplot as plt
from scipy.sparse import coo_array

from numopt.estimators import MatrixCompletion, cross_val_completion
from numopt.gallery import ratings

p = ratings(1500, 1000, 120_000)
X = coo_array((p.values, (p.rows, p.cols)), shape=p.shape)
print(f"{X.nnz} ratings, {X.nnz / np.prod(p.shape):.1%} of all")

# %%
# Cross-validation over ratings
# -----------------------------
# Splitting rows would not do: a user nobody has seen is predicted by the mean. :class:`EntrySplit
# <numopt.estimators.EntrySplit>` splits the ratings. The ridge grows with the number of ratings of a user or item.

model = MatrixCompletion(
    ridge=0.09, ridge_mode="count", center="biases", tol=1e-3, max_iter=15, random_state=0
)
ranks = [1, 2, 4, 8, 12, 20]

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # fifteen sweeps are enough for ratings, far from convergence
    scores = -cross_val_completion(model, X, ranks=ranks, cv=4)
    best = ranks[int(scores.mean(axis=1).argmin())]
    model.set_params(rank=best).fit(X)
print(dict(zip(ranks, scores.mean(axis=1).round(4), strict=True)), "best:", best)

# %%
# The final test is on ratings that took no part in this.

off = model.predict(p.test_rows, p.test_cols) - p.test_values
biases = model.mean_ + model.row_bias_[p.test_rows] + model.col_bias_[p.test_cols]
print(f"test error {np.sqrt(np.mean(off**2)):.4f}")
print(f"biases alone {np.sqrt(np.mean((biases - p.test_values) ** 2)):.4f}")

figure, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
ax.errorbar(ranks, scores.mean(axis=1), scores.std(axis=1), marker="o", capsize=3, color="#3b6ea5")
ax.set_xlabel("rank")
ax.set_ylabel("RMSE on held-out ratings")
ax.set_xticks(ranks)
ax.grid(True, color="#e3e3e3")
ax.spines[["top", "right"]].set_visible(False)
