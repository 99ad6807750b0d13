import pytest

from rebatch.cli.formulas import folded, for_terminal, in_unicode


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("M2[1, z1] = 1215*alpha*eta**3/2", "M²[1, z₁] = 1215 α η³/2"),
        ("eta^12 (sqrt(7)*alpha/(49*pi**(3/2)))", "η¹² (√7 α/(49 π^(3/2)))"),
        ("s1**3*t2", "s₁³ t₂"),
        ("e1 - 2 e12, a1*lam", "e₁ - 2 e₁₂, a₁ λ"),
        ("E[sigma'^2 sigma'']*beta", "E[σ'² σ''] beta"),
    ],
)
def test_formulas_are_shown_with_their_letters(text, shown):
    assert in_unicode(text) == shown


def test_a_terminal_without_greek_gets_the_formula_as_it_is():
    assert for_terminal("eta**2", "ascii") == "eta**2"
    assert for_terminal("eta**2", "utf-8") == "η²"
    assert for_terminal("eta**2", "no-such-encoding") == "eta**2"


def test_a_long_formula_keeps_its_leading_terms():
    line = "M2 = " + " + ".join(f"{n} (x - {n})" for n in range(1, 100))
    short = folded(line, 60)
    assert short.startswith("M2 = 1 (x - 1) + 2 (x - 2) + ")
    assert short.endswith("more terms: --json)")
    assert folded(line, 10_000) == line
    assert folded(f"t1 = 1/sqrt({line})", 60) == "t1 = ... (long: --json)"
