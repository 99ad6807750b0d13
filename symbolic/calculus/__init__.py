"""Expectations under the Gaussian law of the latent coordinates, exact or enclosed, and what they rest on."""
