"""The programming interface, ``/api/v1``, and the exports and feeds of a filter."""
