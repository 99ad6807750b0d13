import pytest

from rebatch.cli.formulas import for_terminal, in_unicode


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("M2[1, z1] = 1215*alpha*eta**3/2", "M²[1, z₁] = 1215 α η³/2"),
        ("eta^12 (sqrt(7)*alpha/(49*pi**(3/2)))", "η¹² (√7 α/(49 π^(3/2)))"),
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
