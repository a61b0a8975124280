"""Networks that are the same up to rescaling: representatives, distances, the best one."""
