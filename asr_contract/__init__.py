"""What client and server both speak, without NumPy."""
