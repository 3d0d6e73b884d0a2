"""Transparency-log primitives: RFC 6962 and the C2SP documents. Bytes in, bytes out; knows nothing of acts."""
