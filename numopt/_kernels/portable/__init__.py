"""Kernels in array-standard calls alone: complete, and right on every array library."""
