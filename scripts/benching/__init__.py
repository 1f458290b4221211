"""The parts of scripts/bench, one idea a file."""
