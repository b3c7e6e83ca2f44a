"""The blocking client: faces over `aio`, file by file."""
