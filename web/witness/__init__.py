"""The witness over HTTP: C2SP tlog-witness, and a page that shows what it has seen."""
