"""Whether a target is continuous and piecewise linear: its generative leap is then at most 2 [DLB25] (theory, 10).

Sums, multiples, Max, Min and absolute values of such functions are such functions, and the coordinates are.
"""

import sympy as sp


def is_piecewise_linear(g: sp.Expr) -> bool:
    """Whether g is continuous and piecewise linear, as it is written.

    Examples
    --------
    >>> from rebatch.symbolic.language.parse import parse
    >>> is_piecewise_linear(parse("relu(z1 - abs(z2)) - Max(z1, 2*z3, 1)")), is_piecewise_linear(parse("z1*sign(z2)"))
    (True, False)
    """
    if not g.free_symbols:
        return bool(g.is_real)
    if g.is_Symbol:
        return True
    if g.is_Mul:
        constant, rest = g.as_independent(*g.free_symbols, as_Add=False)
        return constant != 1 and bool(constant.is_real) and is_piecewise_linear(rest)
    return isinstance(g, sp.Add | sp.Max | sp.Min | sp.Abs) and all(map(is_piecewise_linear, g.args))
