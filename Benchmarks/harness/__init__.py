"""What `Benchmarks/bench.py` measures and how it says so; see Benchmarks/README.md."""
