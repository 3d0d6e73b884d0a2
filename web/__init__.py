"""The public site, the API, and the one process that answers HTTP. It holds no private key."""
