"""logbraid."""
