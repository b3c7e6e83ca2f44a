"""Serves and installs the models: everything around a `tritonserver` that is not a client."""
