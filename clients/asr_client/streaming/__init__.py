"""Live audio: what is said in a streaming session, and what the answers mean."""
