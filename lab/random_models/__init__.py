"""Random-weight models built and exported with FunASR's own classes: real cost, no meaning."""
