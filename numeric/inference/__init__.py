"""What the best algorithms reach: thresholds by quadrature, state evolution, message passing, spectral methods."""
