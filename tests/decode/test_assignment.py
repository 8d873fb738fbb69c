"""The solver by itself is SciPy's, and comes without the rest of `scipy.optimize`."""

import subprocess
import sys

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize

from scalepose.decode.assignment import linear_sum_assignment


@given(st.integers(0, 8), st.integers(0, 8), st.booleans(), st.integers(0, 2**32 - 1))
def test_assigns_as_scipy(rows: int, columns: int, maximize: bool, seed: int):
    cost = np.random.default_rng(seed).integers(0, 5, (rows, columns)).astype(float)
    ours, theirs = linear_sum_assignment(cost, maximize), optimize.linear_sum_assignment(cost, maximize)
    np.testing.assert_array_equal(ours, theirs)


def test_decoding_does_not_load_scipy_optimize():
    code = "import sys, scalepose.decode; print('scipy.optimize' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
