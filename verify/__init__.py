"""Where theory meets numbers: predictions held against simulations."""
