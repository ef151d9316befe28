"""The local stack: set-up, daemons, readiness, doctor. Everything on loopback."""
