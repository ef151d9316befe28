"""The crawl: pages to items, which URLs, and a state that survives anything."""
