"""Displays hold one equation to a row, no row is longer than a line, and what stands in them is the formula."""

import re
import xml.etree.ElementTree as ET

import pytest
import sympy as sp
from matplotlib.mathtext import MathTextParser

from rebatch import hermite_series, overlap_series, two_step_overlap
from rebatch.symbolic.exact.typeset import WIDTH, aligned, equation, mathml
from rebatch.symbolic.overlap.eta import ALPHA, ETA, LAM, latex_equation

RICH = "h + h^2/2 + h^3/6"
# A row is full at WIDTH; its mark, "\quad" and the end of a row come on top, and a term is never cut.
ROW = WIDTH + 15

DISPLAYS = {
    "one neuron": lambda: two_step_overlap("He(3, z)", RICH).latex(),
    "two neurons": lambda: two_step_overlap("z1 + He(3, z2)", RICH, neurons=2).latex(),
    "normalised": lambda: two_step_overlap("z1", "h + h^2/2", normalize=True).latex(),
    "short": lambda: two_step_overlap("z1", "h").latex(),
    "universal": lambda: overlap_series("He(3, z1)", None, 5).latex(),
    "erf": lambda: overlap_series("z1 + He(3, z2)", "erf", 3).latex(),
    "Hermite": lambda: aligned(hermite_series("(z1 + z2 + z3)^5").equations()),
}


def rows(display):
    return display.replace(r"\begin{aligned}", "").replace(r"\end{aligned}", "").strip().split(" \\\\\n")


@pytest.mark.parametrize("name", DISPLAYS)
def test_a_row_holds_at_most_one_equation_and_is_no_longer_than_a_line(name):
    display = DISPLAYS[name]()
    assert ("\n" in display) == display.startswith(r"\begin{aligned}")
    for row in rows(display):
        outside = re.sub(r"\\begin\{matrix\}.*?\\end\{matrix\}", "X", row)
        assert outside.count("=") <= 1
        assert outside.count("&") == (1 if "\n" in display else 0)
        assert row.count("{") == row.count("}")
        assert row.count(r"\left") == row.count(r"\right")
        assert len(row) <= ROW or not re.search(r" [+-] ", row.removeprefix(r"&\quad + "))
    assert display.count(r"\bigl(") == display.count(r"\bigr)")


@pytest.mark.parametrize("name", ["one neuron", "two neurons", "Hermite"])
def test_every_row_can_be_drawn(name):
    parser = MathTextParser("path")
    for row in rows(DISPLAYS[name]()):
        drawn = re.sub(r"\\left\[\\begin\{matrix\}(.*)\\end\{matrix\}\\right\]", r"(\1)", row)
        # Matplotlib has no \\bigl and no \\top.
        for ours, theirs in ((r"\bigl(", "("), (r"\bigr)", ")"), ("&", " ")):
            drawn = drawn.replace(ours, theirs)
        width = parser.parse(f"${drawn}$").width
        assert width > 0, row


def evaluated(latex, values):
    """The right-hand side of an equation as a number, read by rules that know nothing of how it was written."""
    text = latex.partition("&=")[2].replace("&\\quad", " ").replace(" \\\\\n", " ")
    for ours, theirs in ((r"\bigl(", "("), (r"\bigr)", ")"), (r"\left(", "("), (r"\right)", ")")):
        text = text.replace(ours, theirs)
    text = re.sub(r"\\sqrt\{(\d+)\}", r"sqrt(\1)", re.sub(r"\^\{(\d+)\}", r"**\1", text))
    while r"\frac" in text:
        text = re.sub(r"\\frac\{([^{}]*)\}\{([^{}]*)\}", r"((\1)/(\2))", text)
    text = re.sub(r"\\(alpha|eta|lambda)", r"\1_", text)
    # What stands side by side is multiplied.
    text = re.sub(r"(?<=[\w)])\s+(?=[\w(])", "*", text.strip())
    return float(sp.sympify(text, locals=values))


def test_a_broken_equation_is_the_formula():
    formula = two_step_overlap("z1 + He(3, z2)", RICH, neurons=2)
    values = {"alpha_": sp.Rational(7, 5), "eta_": sp.Rational(1, 3), "lambda_": sp.Rational(2, 7)}
    numbers = {ALPHA: values["alpha_"], ETA: values["eta_"], LAM: values["lambda_"]}
    for entry in formula.M2:
        written = latex_equation("M", entry)
        assert "\n" in written
        assert evaluated(written, values) == pytest.approx(float(entry.subs(numbers)), rel=1e-12)


def test_an_equation_is_broken_before_the_term_that_does_not_fit():
    term = "x" * 50
    assert equation("y", [term, f"-{term}", term]) == f"y &= {term} - {term} \\\\\n&\\quad + {term}"
    assert equation("y", []) == "y &= 0"
    assert aligned([equation("y", ["1"])]) == "y = 1"


@pytest.mark.parametrize("name", DISPLAYS)
def test_mathml_of_a_display_is_well_formed_and_has_its_rows(name):
    display = DISPLAYS[name]()
    math = ET.fromstring(mathml(display))
    space = "{http://www.w3.org/1998/Math/MathML}"
    assert len(math.findall(f".//{space}mtr")) >= len(rows(display)) * ("\n" in display)
    assert math.get("aria-label")
