"""Kernels compiled by Numba, for NumPy arrays, where they were measured to pay."""
