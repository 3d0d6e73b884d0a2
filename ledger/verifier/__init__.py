"""The read side: a client for folders and URLs, trust, verify, audit, mirror and bundle. No store, no private key."""
