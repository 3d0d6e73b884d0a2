"""The outermost layer of HTTP: files of the log, documents, submissions, limits. Everything else goes on to Flask."""
