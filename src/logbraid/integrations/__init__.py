"""One file per library that records come from."""
