"""Hostile and large texts with a small effort: each ends in a value or in one line, and none in a traceback."""

import random
import resource
import subprocess
import sys
from contextlib import suppress
from time import process_time

import pytest

from rebatch import RebatchError, analyze, expectation
from rebatch.symbolic.exact.effort import effort

FUNCTIONS = [
    "exp",
    "log",
    "sqrt",
    "sin",
    "cos",
    "tan",
    "sinh",
    "cosh",
    "tanh",
    "erf",
    "sigmoid",
    "softplus",
    "gelu",
    "silu",
    "relu",
    "sign",
    "abs",
    "heaviside",
]
NUMBERS = [
    "1e300",
    "1e-300",
    "10^64",
    "10^20+1",
    "1e6",
    "1/3+1e-20",
    "pi",
    "e^10",
    "-2",
    "0",
    "1/2",
    "sqrt(2)",
    "7^60",
]
NAMED = [
    "exp(1e300)",
    "sin(10^64)*z1",
    "tan(10^50)*z1",
    "exp(exp(10))*z1",
    "exp(1e300*z1)",
    "heaviside(z1-1e6)*z2",
    "He(30,He(30,z1))",
    "gelu(gelu(gelu(gelu(z1))))",
    "abs(1-abs(1-abs(1-abs(1-abs(1-abs(1-abs(1-abs(z1))))))))",
    "tanh(tanh(tanh(z1)))",
    "sin(exp(z1^2))",
    "sin(exp(exp(z1)))",
    "exp(-1e300*z1^2)",
    "1/(z1^2+1e-300)",
    "sin(1e6/(1+z1^2))",
    "sqrt(" + "7" * 4000 + ")*z1",
    "tanh(" + "7" * 3000 + "*z1)",
    "+".join(f"sin({n}*z1)" for n in range(1, 200)),
    "(z1+z2+z3+z4+z5+z6+z7+z8)^9",
    "tan(tanh(z1*z2))^3",
    "exp(exp(exp(exp(z1))))",
    "*".join(f"abs(z1-{n})" for n in range(12)),
]


def texts(count, seed):
    """Return named texts and random ones: functions of functions, of large, small and close numbers."""
    rng = random.Random(seed)

    def term(depth):
        choice = rng.random()
        if depth == 0 or choice < 0.15:
            return rng.choice(["z1", "z2", "z3", "z1", "z1*z2", "z1^3", rng.choice(NUMBERS)])
        if choice < 0.7:
            return f"{rng.choice(FUNCTIONS)}({term(depth - 1)})"
        if choice < 0.75:
            return f"He({rng.randrange(12)}, {term(depth - 1)})"
        if choice < 0.8:
            return f"({term(depth - 1)})^{rng.choice(['2', '3', '(1/3)', '(-1)', '7'])}"
        return f"({term(depth - 1)}){rng.choice('+-**/')}({term(depth - 1)})"

    return [*NAMED, *(term(rng.randrange(1, 5)) for _ in range(count))]


def answer(text, units):
    """Return what comes out, in one line."""
    try:
        with effort(units):
            return str(expectation(text))
    except RebatchError as error:
        return f"{type(error).__name__}: {error}"


def test_a_sample_of_hostile_texts_ends():
    for text in texts(6, seed=1):
        line = answer(text, 10_000)
        assert line
        # A place in the text is shown on two more lines.
        assert len(line.splitlines()) <= 3


def test_effort_gives_the_same_answer_again():
    for text in ("tanh(z1)*z1^2", "gelu(gelu(z1))", "sin(exp(z1))", "abs(sin(z1)) + tanh(z1*z2)"):
        for units in (1_000, 30_000):
            assert answer(text, units) == answer(text, units)


@pytest.mark.parametrize("function", ["tanh", "sigmoid", "erf", "gelu"])
@pytest.mark.parametrize("form", ["z1+{}*z2", "z1-{}*z2+z3"])
def test_sums_over_many_oblique_forms_take_no_more_than_their_effort(function, form):
    text = "+".join(f"{function}({form.replace('{}', str(n))})" for n in range(1, 17))
    units, start = 100_000, process_time()
    analyze(text, effort=units)
    # A unit is about a microsecond; 3 s stand for what is loaded once and for a machine that others use too.
    assert process_time() - start < 20e-6 * units + 3


@pytest.mark.parametrize("layer", ["relu({}-1/2)", "abs(1-{})", "relu(z2-{})"])
def test_functions_of_themselves_twenty_deep_take_no_more_than_their_effort(layer):
    text = "z1"
    for _ in range(20):
        text = layer.replace("{}", text)
    start = process_time()
    analyze(text, effort=100_000)
    # SymPy reads and writes what is nested in some tenths of a second each time, which the units do not tell apart.
    assert process_time() - start < 8


@pytest.mark.parametrize("text", ["exp(1e300*z1)", "exp(200*z1)*z2", "cosh(400*z1)"])
def test_what_is_large_far_out_is_looked_at_without_a_warning(text):
    with suppress(RebatchError):
        analyze(text, effort=1_000)


@pytest.mark.deep
def test_a_corpus_of_hostile_texts_ends_in_little_memory():
    program = (
        f"import sys; sys.path[:0] = {sys.path!r}\n"
        "import time, importlib.util\n"
        f"spec = importlib.util.spec_from_file_location('corpus', {__file__!r})\n"
        "corpus = importlib.util.module_from_spec(spec); spec.loader.exec_module(corpus)\n"
        "for text in corpus.texts(320, seed=2):\n"
        "    start = time.process_time()\n"
        "    line = corpus.answer(text, 1_000_000)\n"
        "    seconds = time.process_time() - start\n"
        "    assert line and len(line.splitlines()) <= 3, text\n"
        "    assert seconds < 20, (seconds, text)\n"
    )

    def limit():
        # 2 GB, and what threads reserve without using it.
        resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))

    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        preexec_fn=limit,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 2_000_000
