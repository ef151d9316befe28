"""Money, genres, countries and text, each read once and in one place."""
