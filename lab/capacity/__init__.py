"""Plans past the machines at hand: what many servers do, computed from what one was measured to."""
