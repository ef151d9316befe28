"""Serving: the REST API and its page, from a bundle and nothing else; no Spark, no JVM."""
