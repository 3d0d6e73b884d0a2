"""Pages for people, Indonesian and English, complete without JavaScript."""
