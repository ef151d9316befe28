"""A small IMDb-shaped website and the synthetic world behind it."""
