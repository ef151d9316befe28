"""The job server: a process that answers the routes of the API through Spark Connect."""

__all__: list[str] = []
