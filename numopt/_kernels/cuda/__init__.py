"""Kernels for CuPy arrays, where a device has measured that they pay."""
