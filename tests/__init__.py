"""The tests of numopt; a package so that helpers are imported as ``tests.contract.harness``."""
