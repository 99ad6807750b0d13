import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

from rebatch.symbolic.errors import ParseError
from rebatch.symbolic.language.parse import parse, parse_activation, to_text
from rebatch.symbolic.language.symbols import coordinate, hermite
from rebatch.symbolic.language.syntax import FUNCTIONS

z1, z2 = coordinate(1), coordinate(2)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("z", z1),
        ("z1 + z2", z1 + z2),
        ("0.1*z1", z1 / 10),
        ("1.5e-3", sp.Rational(3, 2000)),
        ("z1^2", z1**2),
        ("-z1^2", -(z1**2)),
        ("2^3^2", sp.Integer(512)),
        ("z1 - z2 - z1", -z2),
        ("z1/2/3", z1 / 6),
        ("He(3, z2)", z2**3 - 3 * z2),
        ("relu(z1)", sp.Max(0, z1)),
        ("abs(z1)*sign(z2)", sp.Abs(z1) * sp.sign(z2)),
        ("exp(z1)*e", sp.E * sp.exp(z1)),
        ("2**z1", 2**z1),
        ("Max(z1, z2, 0)", sp.Max(z1, z2, 0)),
        ("\n z1 +\n z2 ", z1 + z2),
        ("cos(pi*z1)", sp.cos(sp.pi * z1)),
    ],
)
def test_text_denotes_the_expression(text, expected):
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("", 0, "empty"),
        ("   ", 0, "empty"),
        ("z1 + foo", 5, "'foo'"),
        ("z^2 + foo^3", 6, "'foo'"),
        ("z13", 0, "z1 to z12"),
        ("z0", 0, "z1 to z12"),
        ("2z", 1, "implicit"),
        ("2(z)", 0, "implicit"),
        ("z1 + (z2", 5, "never closed"),
        ("z1)", 2, "unmatched"),
        ("z1.real", 0, "attribute .real"),
        ("().__class__", 0, "attribute .__class__"),
        ("__import__('os')", 0, "__import__"),
        ("'z1'", 0, "string"),
        ("[z for z in z]", 0, "comprehension"),
        ("exp(z, key=1)", 7, "keywords"),
        ("exp(*z)", 4, "starred"),
        ("lambda: 1", 0, "not allowed"),
        ("z1 if z1 else 2", 0, "not allowed"),
        ("z1 < z2", 0, "comparison"),
        ("z1, z2", 0, "list or tuple"),
        ("True", 0, "True"),
        ("3j", 0, "3j"),
        ("0x10", 0, "decimal"),
        ("exp", 0, "exp(…)"),
        ("pi(2)", 0, "not a function"),
        ("He(3)", 0, "order and an argument"),
        ("He(z1, z2)", 3, "order of He"),
        ("He(-1, z)", 3, "order of He"),
        ("sin(z1, z2)", 0, "1 argument"),
        ("z1**z2", 4, "positive constant base"),
        ("z1**100", 4, "up to 64"),
        ("z1^0.123456789", 3, "denominator up to 64"),
        ("z1 +", 4, "not a complete"),
        ("2**", 3, "not a complete"),
        ("z1 #c", 3, "'#'"),
        ("Max(" + ",".join(["z1"] * 13) + ")", 0, "at most 12"),
        ("1/0", 2, "division by zero"),
        ("0**-1", 0, "zero to a power"),
        ("log(0)", 0, "finite"),
        ("sqrt(-1)", 0, "real"),
        ("π*z", 0, "ASCII"),
    ],
)
def test_anything_else_is_refused_with_its_place(text, place, says):
    with pytest.raises(ParseError) as refused:
        parse(text)
    assert refused.value.position == place
    assert says in refused.value.message


@pytest.mark.parametrize(
    "text",
    [
        "9**9**9",
        "9**64**64",
        "((9**64)**64)**64",
        "((z^64)^64)^64",
        "He(10**9, z)",
        "He(64, He(64, He(64, He(64, z))))",
        "(" * 1000 + "z" + ")" * 1000,
        "-" * 5000 + "z",
        "z" + "+z" * 4999,
        "1e999999999",
        "9" * 9000,
        "z" * 10_001,
        "exp(" * 99 + "z" + ")" * 98,
        "0." + "1" * 9000 + "*z1",
        "sign(e^(e^(e^(e^(e^9))))-3)*z1",
        "sign(exp(exp(exp(exp(100))))-pi)",
        "exp(" * 90 + "1" + ")" * 90,
        "sign(" + "exp(" * 20 + "1" + ")" * 20 + "-2)",
    ],
)
def test_texts_beyond_a_limit_are_refused_before_anything_is_computed(text):
    with pytest.raises(ParseError):
        parse(text)


def test_a_long_sum_is_not_deep():
    assert parse(" + ".join(["z1*z2"] * 500)) == 500 * z1 * z2


def test_the_caret_stands_under_the_place():
    with pytest.raises(ParseError) as refused:
        parse("z1^2 + foo*z2")
    _, line, caret = str(refused.value).split("\n")
    assert line[caret.index("^") :].startswith("foo")


def test_activations_are_read_in_h():
    h = sp.Symbol("h", real=True)
    assert parse_activation("h + h^2/2") == h + h**2 / 2
    with pytest.raises(ParseError, match="unknown name 'z1'"):
        parse_activation("z1")


@given(st.text(max_size=60))
def test_any_text_is_an_expression_or_a_parse_error(text):
    try:
        assert isinstance(parse(text), sp.Expr)
    except ParseError as refused:
        position = refused.position
    else:
        position = 0
    assert 0 <= position <= len(text)


@given(st.text(alphabet="z12+-*/^() .,He39exp", max_size=40))
def test_any_formula_like_text_is_an_expression_or_a_parse_error(text):
    try:
        assert isinstance(parse(text), sp.Expr)
    except ParseError as refused:
        position = refused.position
    else:
        position = 0
    assert 0 <= position <= len(text)


@pytest.mark.parametrize(
    "text", ["abs(z1) + e*heaviside(z2)", "relu(z1)^2/3 - Min(z1, 1/2)", "exp(-z1**2)*sqrt(2)"]
)
def test_an_expression_printed_is_read_again(text):
    assert parse(to_text(parse(text))) == parse(text)


@given(st.integers(1, 12))
def test_hermite_polynomials_satisfy_their_recursion(n):
    assert sp.expand(hermite(n + 1, z1) - z1 * hermite(n, z1) + n * hermite(n - 1, z1)) == 0


def test_every_function_of_the_language_is_built():
    arguments = {name: ", ".join(["z1"] * (count or 2)) for name, count in FUNCTIONS.items()}
    assert all(parse(f"{name}({given})").has(z1) for name, given in arguments.items())
