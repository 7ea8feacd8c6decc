"""The storage layer for MCMC draws."""
