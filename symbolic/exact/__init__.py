"""Numbers and spaces: what is known of a number and how, balls, rational polynomials, real numbers, subspaces."""
