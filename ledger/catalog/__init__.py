"""The catalogue: a derived full-text index over published acts, for searching, facets, exports and feeds."""
