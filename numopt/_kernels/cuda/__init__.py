"""Kernels for CuPy arrays: where a device has measured 1.5 times the speed of the portable ones, or more."""
