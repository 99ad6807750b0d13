"""How exponents move with batch size, step size and look-ahead."""
