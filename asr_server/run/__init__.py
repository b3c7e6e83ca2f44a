"""Finds, starts and watches a `tritonserver`."""
