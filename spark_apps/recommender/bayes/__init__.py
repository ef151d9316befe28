"""Bayesian matrix factorisation with side information: Gibbs chains as Spark tasks, packed."""
