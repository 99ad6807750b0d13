"""Inputs with finitely many values: labels, coefficients and averages by going through all of them, exactly."""
