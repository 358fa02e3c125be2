"""What lies under a mask is no data: refused by name and place; a mask that hides nothing is no mask."""

import numpy as np
import pytest

from numopt._given import as_array
from numopt.exceptions import InvalidInputError


@pytest.mark.parametrize(
    ("x", "match"),
    [
        (np.ma.array([1.0, 2.0, 3.0], mask=[0, 0, 1]), r"^x\[2\] is masked: a number is expected; fill it by filled"),
        (np.ma.masked_greater(np.arange(6).reshape(2, 3), 4), r"^x\[1, 2\] is masked"),
        (np.ma.masked, "^x is masked"),
        ([[0.0, 1.0], np.ma.array([2.0, 3.0], mask=[1, 0])], r"^x\[1\]\[0\] is masked"),
        ([0.0, np.ma.masked], r"^x\[1\] is masked"),
        ([[0.0], (1.0, np.ma.masked)], r"^x\[1\]\[1\] is masked"),
    ],
)
def test_hidden_entries_are_refused(x, match):
    with pytest.raises(InvalidInputError, match=match):
        as_array("x", x)


@pytest.mark.parametrize("mask", [np.ma.nomask, False, [False, False]])
def test_a_mask_that_hides_nothing_is_no_mask(mask):
    x = np.arange(2.0)
    plain = as_array("x", np.ma.array(x, mask=mask))
    assert type(plain) is np.ndarray and np.shares_memory(plain, x)
    assert type(as_array("x", [np.ma.array(x, mask=mask)])) is np.ndarray


def test_arrays_are_left_alone():
    x = np.arange(3)
    assert as_array("x", x) is x
    with pytest.raises(InvalidInputError, match="x is no rectangular array"):
        as_array("x", [[1.0], [1.0, 2.0]])
