"""The witness: its rules from the specification, its state, and both over HTTP."""
