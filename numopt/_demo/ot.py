"""The colours of two photographs exchanged, in short form.

The example ``plot_color_transfer.py`` of the documentation does the same at length.
"""

from time import perf_counter

import numpy as np

import numopt
from numopt._demo import drawn, photograph, ready, say
from numopt._threads import thread_count

REG = 0.03  # of the median squared distance: hard enough for clear colours, soft enough for smooth skies


def main(bits=5, folder="."):
    """Solve, say how certain the answer is, and write the picture into `folder`.

    `bits` of each colour channel tell points apart: 5 make a few thousand of each photograph.
    """
    pictures = [photograph(name) for name in ("china.jpg", "flower.jpg")]
    ready("ot", lambda: numopt.ot.sinkhorn_newton(**_problem(pictures, bits=2)).gap)

    problem = _problem(pictures, bits)
    a, b, X, Y = (problem[name] for name in ("a", "b", "X", "Y"))
    say("problem", f"carry {len(a)} colours of china.jpg onto {len(b)} of flower.jpg, weighted by pixels")
    say("", f"{len(a) * len(b) / 1e6:.1f} million pairs, squared distance, reg = {REG} of its median")

    began = perf_counter()
    result = numopt.ot.sinkhorn_newton(**problem)
    seconds, threads = perf_counter() - began, thread_count()
    say("solved", f"in {seconds:.2f} s on {threads} thread{'s' if threads > 1 else ''}: {result.message}")
    say("", f"{result.n_passes} passes over the pairs, {result.n_newton} Newton steps")

    low, high = result.lp_lower_bound, result.rounded_cost
    say("certain", f"marginal error {result.marginal_error:.1e}, recomputed from every pair")
    say("", f"entropic value {result.value:.6f}, optimal to {result.gap:.1e}")
    say("", f"exact transport cost in [{low:.4f}, {high:.4f}], {(high - low) / high:.1%} wide")

    passes = {"max_iter": result.n_passes, "on_failure": "ignore"}
    slow = numopt.ot.sinkhorn_newton(**problem, method="sinkhorn", **passes)
    say("beside", f"Sinkhorn's iteration, given as many passes: marginal error {slow.marginal_error:.1e}")

    mapped = _carry(pictures[0], Y, result.g, result.reg), _carry(pictures[1], X, result.f, result.reg)
    with drawn(folder, "numopt-demo.png", (10, 7)) as figure:
        _draw(figure, pictures, mapped)
    return 0 if result.success else 1


def _problem(pictures, bits):
    """Return the arguments of the solver."""
    (X, a), (Y, b) = (_colours(picture, bits) for picture in pictures)
    return {"a": a, "b": b, "X": X, "Y": Y, "reg": REG, "reg_relative": True}


def _colours(picture, bits):
    """Return the colours of a picture as points, merged where their first bits agree, with their shares."""
    pixels = picture.reshape(-1, 3)
    cells = np.minimum(pixels * 2**bits, 2**bits - 1).astype(int)
    _, cell, count = np.unique(cells, axis=0, return_inverse=True, return_counts=True)
    points = np.stack([np.bincount(cell.ravel(), channel) / count for channel in pixels.T], axis=1)
    return points, count / count.sum()


def _carry(picture, points, potential, reg, block=2048):
    """Return the picture with each pixel at the mean of the points to which the entropic map sends it."""
    old, where = np.unique(picture.reshape(-1, 3).astype("float32"), axis=0, return_inverse=True)
    points, new = points.astype("float32"), np.empty_like(old)
    height = (potential - np.sum(points**2, axis=1)).astype("float32")
    for lo in range(0, len(old), block):
        exponent = (height + 2 * old[lo : lo + block] @ points.T) / np.float32(reg)
        weight = np.exp(exponent - exponent.max(axis=1, keepdims=True))
        new[lo : lo + block] = weight @ points / weight.sum(axis=1, keepdims=True)
    return np.clip(new, 0, 1)[where.ravel()].reshape(picture.shape)


def _draw(figure, before, after):
    for column, pictures in zip(figure.subplots(2, 2).T, (before, after), strict=True):
        for ax, picture in zip(column, pictures, strict=True):
            ax.imshow(picture)
            ax.set_axis_off()
