"""How relaxation holds a matrix; see `relax` beside this file."""

from typing import NamedTuple

import numpy as np


class Triangle(NamedTuple):
    """The strictly lower or upper part of a system, by rows: entries starts[i] to starts[i + 1]."""

    values: object
    columns: object
    starts: object


class System(NamedTuple):
    """A matrix as D (I + L + U)."""

    width: tuple  # as long as the padded rows; empty if they are not padded
    lower: Triangle
    upper: Triangle
    diagonal: object
    levels: np.ndarray


class Pattern(NamedTuple):
    """Where the entries of a matrix go: positions in its array of values, one behind the last for a zero."""

    width: tuple
    diagonal_at: object
    lower_at: object
    lower_rows: object
    lower_columns: object
    lower_starts: object
    mirror_at: object
    upper_at: object
    upper_rows: object
    upper_columns: object
    upper_starts: object
    levels: np.ndarray  # (levels + 1, 3), on the host: first row, most entries of a row below, above
