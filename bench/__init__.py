"""Measurements: each figure as a ratio to a limit taken in the same run (``make bench``)."""
