"""What all sessions of a gateway share."""
