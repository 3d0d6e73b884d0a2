"""What is signed and by whom: canonical JSON, records, envelopes, entries, the roster, and the one replay. Pure."""
