"""Speed and memory of numopt over time (asv), and beside its peers (`benchmarks.peers`)."""
