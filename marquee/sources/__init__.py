"""What comes in: ratings releases, titles, feedback."""
