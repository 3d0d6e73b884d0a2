"""The long form of what CI tests in short: kills, faults, a ledger's life, bit flips, fuzzing. See ``docs/reliability.md``."""
