"""Money, genres, countries and text, each read once and in one place."""

__all__ = ["countries", "currencies", "dates", "genres", "money", "text"]
