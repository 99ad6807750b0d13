"""What theory says, exactly: parsing, Gaussian calculus, exponents, verdicts and formulas."""
