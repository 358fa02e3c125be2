"""
Colours of one picture on another
=================================

Two photographs, each seen as a cloud of colours, and the cheapest way to carry one cloud onto the other:
the palace takes the colours of the flower, and the flower those of the palace. Every pixel counts.
"""

import numpy as np
from matplotlib import pyplot as plt
from scipy.ndimage import uniform_filter
from sklearn.datasets import load_sample_image

import numopt

numopt.warmup("float64")  # compile now: the clock is for the solver alone
china = load_sample_image("china.jpg") / 255.0
flower = load_sample_image("flower.jpg") / 255.0

# %%
# Pictures as weighted points
# ---------------------------
# Colours that agree in the first five bits of red, green and blue become one point, their mean, with the
# share of their pixels as its weight. That leaves a few thousand points of the 273,280 pixels of each
# picture.


def colours(picture, bits=5):
    """Return the points and the weights of a picture."""
    pixels = picture.reshape(-1, 3)
    cells = np.minimum(pixels * 2**bits, 2**bits - 1).astype(int)
    _, cell, count = np.unique(
        cells, axis=0, return_inverse=True, return_counts=True
    )
    sums = [np.bincount(cell.ravel(), channel) for channel in pixels.T]
    return np.stack(sums, axis=1) / count[:, None], count / count.sum()


X, a = colours(china)
Y, b = colours(flower)
print(f"{len(a)} colours of the palace, {len(b)} of the flower")

# %%
# Solve
# -----
# The points are given instead of a matrix of their squared distances, which is never stored. The
# regularisation, 3 % of the median distance, decides how many colours each colour is mixed from: less gives
# harder edges, more gives paler pictures.

problem = dict(a=a, b=b, X=X, Y=Y, reg=0.03, reg_relative=True)
result = numopt.ot.sinkhorn_newton(**problem)
print(result)

# %%
# How certain is that? The marginal error was recomputed from every entry of the plan at the returned
# potentials; the gap bounds how far the plan is from the best one; and the cost of *exact* transport,
# without regularisation, lies between two numbers, whatever happened inside the solver.

print(f"marginal error  {result.marginal_error:.1e}")
print(f"gap             {result.gap:.1e}")
print(f"exact cost      at least {result.lp_lower_bound:.4f}")
print(f"                at most  {result.rounded_cost:.4f}")

# %%
# Map the pixels
# --------------
# A colour :math:`x`, also one that was no point of the problem, goes to the mean of the points :math:`y_j`
# under the weights :math:`\exp((g_j - |x - y_j|^2) / \operatorname{reg})`. The way back takes :math:`f` and
# the points :math:`x_i`. Nothing is solved again, and blocks keep it small.
# (:class:`numopt.estimators.TransportMap` packs solving and mapping into an estimator.)


def carry(picture, points, potential, reg, block=2048):
    """Return the picture with each pixel where the points send it."""
    pixels, points = picture.reshape(-1, 3).astype("float32"), points.astype("float32")
    old, where = np.unique(pixels, axis=0, return_inverse=True)
    new = np.empty_like(old)
    height = (potential - np.sum(points**2, axis=1)).astype("float32")
    for lo in range(0, len(old), block):
        part = slice(lo, lo + block)
        exponent = (height + 2 * old[part] @ points.T) / np.float32(reg)
        weight = np.exp(exponent - exponent.max(axis=1, keepdims=True))
        new[part] = weight @ points / weight.sum(axis=1, keepdims=True)
    return new[where.ravel()].reshape(picture.shape)


china_as_flower = carry(china, Y, result.g, result.reg)
flower_as_china = carry(flower, X, result.f, result.reg)

# %%
# Where neighbouring pixels of nearly one colour part ways, as in the sky, the map enlarges the grain of the
# photograph. What was *added* to each pixel is therefore smoothed, but not across the edges of the picture:
# a guided filter (He, Sun and Tang, 2013).


def smoothed(picture, mapped, radius=5, edge=0.01):
    """Return the picture, and what was added as a local fit to brightness."""

    def mean(x):
        return uniform_filter(x, 2 * radius + 1, axes=(0, 1))

    bright, added = picture.mean(axis=2, keepdims=True), mapped - picture
    slope = mean(bright * added) - mean(bright) * mean(added)
    slope /= mean(bright**2) - mean(bright) ** 2 + edge**2
    level = mean(added) - slope * mean(bright)
    return np.clip(picture + mean(slope) * bright + mean(level), 0, 1)


china_smoothed = smoothed(china, china_as_flower)
flower_smoothed = smoothed(flower, flower_as_china)

figure, axes = plt.subplots(3, 2, figsize=(9, 9.4), layout="constrained")
rows = {
    "before": (china, flower),
    "each colour carried": (china_as_flower, flower_as_china),
    "what was added, smoothed": (china_smoothed, flower_smoothed),
}
for pair, (title, pictures) in zip(axes, rows.items(), strict=True):
    pair[0].set_title(title, loc="left", fontsize=11)
    for ax, picture in zip(pair, pictures, strict=True):
        ax.imshow(np.clip(picture, 0, 1))
        ax.set_axis_off()

# %%
# Beside Sinkhorn's iteration
# ---------------------------
# Both read every pair of points once in a pass. Sinkhorn's iteration gets 100 of them here and is far from
# done; it would get there in the end. The first levels of the annealing solve easier problems and are not
# drawn, but counted. The last Newton steps need no pass: they work on the pairs that carry mass, and one pass at
# the end checks them all.

slow = numopt.ot.sinkhorn_newton(
    **problem, method="sinkhorn", max_iter=100, on_failure="ignore"
)
runs = {"annealed Newton": result, "Sinkhorn": slow}

figure, (left, right) = plt.subplots(
    1, 2, figsize=(9, 3.6), layout="constrained", sharey=True
)
numopt.plot.convergence(runs, against="time", ax=left)
for run, line in zip(runs.values(), left.lines[::2], strict=True):
    passes, error = run.history["n_passes"], run.history["measure"]
    right.semilogy(passes, error, color=line.get_color(), linewidth=1.8)
right.set_xlabel("passes over all pairs")
right.grid(True, color="#e3e3e3")
right.spines[["top", "right"]].set_visible(False)
