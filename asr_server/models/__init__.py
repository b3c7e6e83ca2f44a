"""Which models are served: their kinds, their published names, their repositories."""
