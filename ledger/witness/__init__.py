"""A witness: what it has seen of each log, and the rules by which it cosigns that a log only grows (C2SP tlog-witness)."""
