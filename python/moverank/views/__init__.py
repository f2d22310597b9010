"""What an alignment looks like: in a terminal, in a paper, in a browser. Each takes an `Alignment` and names."""
