"""Short entries that people call, by path or with -m; what they do is elsewhere."""
