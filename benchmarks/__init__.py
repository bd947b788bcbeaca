"""What README claims about speed, measured: `make bench`, or `python -m benchmarks hooks|language|process`."""
