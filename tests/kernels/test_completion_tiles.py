"""Tiles of Gram matrices agree with NumPy's products for vectors of every kind of processor, whichever this one is."""

import numba
import numpy as np
import pytest

pytestmark = pytest.mark.skipif(numba.config.DISABLE_JIT, reason="vectors are there in compiled code alone")


@pytest.mark.parametrize("at_once", [1, 2])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rows", [1, 8])
def test_tiles(rows, dtype, at_once, monkeypatch):
    from numopt._kernels.cpu import _completion_gram as gram

    monkeypatch.setattr(gram, "_AT_ONCE", at_once)
    monkeypatch.setattr(gram, "_WIDEST", 3 * at_once)
    options = {}, {"minus": True}, {"upright": False}, {"gathered": True, "ahead": 5}
    upright, less, flat, picked = (gram._make_tiles(rows, **given) for given in options)

    @numba.njit
    def all_four(left, right, chosen, n, b, end, G):
        upright(left, right, n, 1, b, end, G[0], 0)
        less(left, right, n, 1, b, end, G[1], 0)
        flat(left, right, n, 1, b, end, G[2], 0)
        picked(chosen, 2, chosen.size - 1, left if rows == 1 else right, right, n, 0, b, end, G[3], 0)

    rng = np.random.default_rng(0)
    group = 32 // np.dtype(dtype).itemsize
    for groups, n, b in ((1, 2, 0), (2, 6, 0), (3, 0, 0), (4, 4, group), (8, 10, 0), (11, 2, 2 * group)):
        end = groups * group
        left, right = (rng.standard_normal((16, width)).astype(dtype) for width in (16, max(end, 8)))
        chosen = rng.integers(0, 16, 2 + n + 3).astype(np.uint32)
        before = rng.standard_normal((4, rows, end))
        G = before.copy()
        all_four(left, right, chosen, n, b, end, G)
        above, taken = left[:n, 1 : 1 + rows], right[chosen[2 : 2 + n]]
        pairs = (
            (above, right), (-above, right), (left[1 : 1 + rows, :n].T, right),
            (left[:n, :1] if rows == 1 else taken[:, :rows], taken),
        )
        change = np.zeros_like(G)
        for found, (one, two) in zip(change, pairs, strict=True):
            found[:, b:] = one.astype(float).T @ two[:n, b:end]
        np.testing.assert_allclose(G - before, change, atol=1e-5 if dtype == np.float32 else 1e-13)
