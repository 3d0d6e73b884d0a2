"""The commands of ``bening``, by room. One command: read options, call one function, print, exit."""
