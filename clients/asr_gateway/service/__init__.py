"""What every door of a gateway shares: settings, limits, keys, logs, metrics."""
