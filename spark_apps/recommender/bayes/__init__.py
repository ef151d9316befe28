"""Bayesian matrix factorisation with side information: Gibbs chains as Spark tasks, packed."""

__all__ = ["arithmetic", "fitting", "sides"]
