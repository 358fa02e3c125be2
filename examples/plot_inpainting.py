"""
A photograph with half of its pixels missing
============================================

Half of the values of a photograph are lost, and a tenth of the others are black or white, whatever they should be. The
picture is nearly of low rank, so the rest of it says what is missing; the Huber loss keeps the wrong values
from spoiling it.
"""

import numpy as np
from matplotlib import pyplot as plt
from sklearn.datasets import load_sample_image

import numopt
from numopt.completion import matrix_completion

numopt.warmup("float64")  # compile now: the clock is for the solver alone
picture = load_sample_image("china.jpg") / 255.0

# %%
# Damage
# ------
# The three colours stand side by side in one matrix, for they share their structure. Missing values are NaN.

height, width, _ = picture.shape
clean = picture.transpose(0, 2, 1).reshape(height, 3 * width)
rng = np.random.default_rng(0)
damaged = clean.copy()
wrong = rng.random(clean.shape) < 0.1
damaged[wrong] = rng.integers(0, 2, wrong.sum())  # salt and pepper
damaged[rng.random(clean.shape) < 0.5] = np.nan
print(f"{np.isnan(damaged).mean():.0%} missing, {wrong.mean():.0%} wrong")

# %%
# Complete
# --------
# Both runs get the rank and the ridge that suit them. The squared loss fits the wrong values too. The Huber
# loss counts residuals beyond a threshold, which it finds itself, only in proportion to their size.

model = dict(rank=40, center="global", tol=1e-3, rng=0)
squared = matrix_completion(damaged, **model | {"rank": 20}, ridge=3.0)
huber = matrix_completion(damaged, **model, loss="huber", ridge=0.5)
print(huber)


def as_picture(X):
    """Return rows of three colours side by side as a picture."""
    return np.clip(X.reshape(height, 3, width).transpose(0, 2, 1), 0, 1)


def decibels(X):
    """Return the peak signal-to-noise ratio."""
    return -10 * np.log10(np.mean((np.clip(X, 0, 1) - clean) ** 2))


# %%
# A matrix of rank 40 cannot show everything: the best one there is, which only the undamaged picture gives,
# bounds what can be hoped for.

U, s, Vt = np.linalg.svd(clean, full_matrices=False)
best = (U[:, :40] * s[:40]) @ Vt[:40]
pictures = {
    "damaged": np.nan_to_num(damaged, nan=0.5),
    "squared loss": squared.to_dense(),
    "Huber loss": huber.to_dense(),
    "best of rank 40": best,
}
figure, axes = plt.subplots(2, 2, figsize=(9, 6.6), layout="constrained")
for ax, (name, X) in zip(axes.flat, pictures.items(), strict=True):
    ax.imshow(as_picture(X))
    ax.set_title(f"{name}, {decibels(X):.1f} dB", loc="left", fontsize=11)
    ax.set_axis_off()
