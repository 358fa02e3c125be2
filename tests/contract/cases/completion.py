"""Matrix completion, in memory and in files."""

import tempfile
from functools import partial
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array

import numopt.completion  # noqa: F401  (registers the solver)
from numopt.exceptions import InvalidInputError
from tests.contract.cases._case import Case, spoil


def _problem(rng, dtype, method="auto", **more):
    """A 28 x 23 matrix of rank 2, seen to 70 % with uneven weights; the last entry is seen, for the tests spoil it."""
    X = rng.standard_normal((28, 2)) @ rng.standard_normal((2, 23))
    mask = rng.random(X.shape) < 0.7
    mask[-1, -1] = True
    weight = rng.random(X.shape) + 0.5
    tol = 1e-5 if dtype == "float32" else 1e-8
    arrays = {"mask": mask, "sample_weight": weight.astype(dtype)}
    return (X.astype(dtype),), {"rank": 2, "method": method, "tol": tol, "rng": 3} | arrays | more


def _residuals(result, p):
    seen = p["mask"]
    x = result.U.astype(float) @ result.V.T.astype(float) + result.row_bias[:, None] + result.col_bias + result.mean
    return (p["X"].astype(float) - x)[seen], p["X"].astype(float)[seen], p["sample_weight"].astype(float)[seen]


def _rel_residual(result, p):
    r, y, w = _residuals(result, p)
    return np.sqrt(np.sum(w * r**2) / np.sum(w * (y - result.mean) ** 2))


BAD = [
    ("rank of 0", spoil("rank", 0), InvalidInputError, "rank is 0"),
    ("rank above the sides", spoil("rank", 24), InvalidInputError, "rank is 24: an integer >= 1 and <= 23"),
    ("a negative weight", spoil("sample_weight", lambda w: -w), InvalidInputError, r"sample_weight\[0, 0\] is -"),
    ("a short mask", spoil("mask", lambda mask: mask[:-1]), InvalidInputError, r"mask has shape \(27, 23\)"),
    ("nothing seen", spoil("mask", lambda mask: mask & False), InvalidInputError, "no observed entry"),
    ("a negative ridge", spoil("ridge", -1.0), InvalidInputError, "ridge is -1"),
    ("an unknown loss", spoil("loss", "l1"), InvalidInputError, "loss is 'l1'"),
]

CASES = [
    Case("completion.matrix_completion", partial(_problem, method=method), _rel_residual, "rel_residual", BAD, method)
    for method in ("auto", "als", "vpgn", "altmin-sketch", "scaledgd")
]


def _files(rng, dtype):
    """A 48 x 37 matrix of rank 2, seen to 60 %, in files that are read in about ten parts."""
    full = rng.standard_normal((48, 2)) @ rng.standard_normal((2, 37))
    X = csr_array(np.where(rng.random(full.shape) < 0.6, full, 0).astype(dtype))
    forms = []
    with tempfile.TemporaryDirectory() as folder:  # mapped files stay readable when their names are gone
        for name, form in (("rows", X), ("columns", csr_array(X.T))):
            arrays = {"data": form.data, "indices": form.indices.astype(np.int32), "indptr": form.indptr}
            paths = {what: Path(folder) / f"{name}-{what}.npy" for what in arrays}
            for what, x in arrays.items():
                np.save(paths[what], x)
            forms.append(tuple(np.load(path, mmap_mode="r") for path in paths.values()))
    tol = 1e-5 if dtype == "float32" else 1e-8
    return forms, {"rank": 2, "tol": tol, "rng": 3, "entries_at_once": 100}


def _residual_in_files(result, p):
    data, indices, indptr = p["rows"]
    x = result.U.astype(float) @ result.V.T.astype(float)
    return np.linalg.norm(data - x[np.repeat(np.arange(48), np.diff(indptr)), indices]) / np.linalg.norm(data)


def _with(at, value):
    """Return a function that puts a number into the data of a form."""

    def change(form):
        data = np.array(form[0])
        data[at] = value
        return data, *form[1:]

    return change


BAD_FILES = [
    ("NaN", spoil("rows", _with(5, np.nan)), InvalidInputError, "entry 5 of rows is nan"),
    ("infinity", spoil("columns", _with(7, -np.inf)), InvalidInputError, "entry 7 of columns is -inf"),
    ("other entries", spoil("columns", _with(0, 99.0)), InvalidInputError, "two forms of one matrix"),
    ("no tuple", spoil("rows", lambda form: list(form)), InvalidInputError, "rows is no tuple"),
    ("rank above the sides", spoil("rank", 38), InvalidInputError, "rank is 38: an integer >= 1 and <= 37"),
    ("no entry at a time", spoil("entries_at_once", 0), InvalidInputError, "entries_at_once is 0"),
]

CASES.append(
    Case("completion.complete_files", _files, _residual_in_files, "rel_residual", BAD_FILES, "", ("numpy", "readonly"))
)
