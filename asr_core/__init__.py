"""What the served Python models compute: NumPy in, NumPy out.

Nothing here imports Triton, so every part can be tested and reused without a server.
"""
