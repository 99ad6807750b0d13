"""Hundreds of hostile and of merely large texts through `rebatch analyze`: each ends, in one line where it fails."""

import json
import resource
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from ..symbolic.calculus.test_corpus import texts

# Units of work for each of the two parts of an analysis, and what it may take altogether. Seconds of a processor that
# others use too count for more.
EFFORT = 1_000_000
SECONDS = 40
BYTES = 2_000_000_000
# A message quotes so much of a text at most.
LONGEST = 1300
# The command, in a fork for each text: what one of them leaves behind helps no other.
PROGRAM = f"""
import json, os, resource, sys, tempfile
sys.path[:0] = {sys.path!r}
import rebatch.cli.tables, rebatch.numeric.inference.threshold, rebatch.symbolic.learnability.searched
from rebatch.cli.main import main

def run(text, effort, seconds):
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    sys.argv = ["rebatch", "analyze", "--effort", str(effort), "--", text]
    try:
        main()
    except SystemExit as ending:
        sys.stdout.flush()
        return ending.code or 0
    return 99

for line in sys.stdin:
    text, effort, seconds = json.loads(line)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if not child:
            code = 98
            try:
                os.dup2(out.fileno(), 1), os.dup2(err.fileno(), 2)
                code = run(text, effort, seconds)
            finally:
                os._exit(code)
        _, status, used = os.wait4(child, 0)
        read = [os.pread(file.fileno(), 1 << 20, 0).decode(errors="replace") for file in (out, err)]
    code, seconds = os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime
    print(json.dumps([code, *read, seconds, used.ru_maxrss]), flush=True)
"""


def joined(sign, term, count):
    """Return term(1) … term(count) with a sign between, each {} the number."""
    return sign.join(term.replace("{}", str(n)) for n in range(1, count + 1))


def nested(outer, count, inner="z1"):
    """Return a text put into another one, so many times."""
    for _ in range(count):
        inner = outer.replace("{}", inner)
    return inner


COMMITTEES = [
    *(joined("+", "relu(z{})", k) for k in (10, 13, 16)),
    *(f"sign({joined('*', 'z{}', k)})" for k in (10, 13, 16)),
    *(f"Max({joined(',', 'z{}', k)})" for k in (10, 12, 16)),
    f"tanh({joined('+', 'relu(z{})', 12)})",
    f"({joined('-', 'relu(z{})', 10)})^2",
    f"sign({joined('+', 'sign(z{})', 11)})",
    f"sign({joined('+', 'z{}^2', 12)} - 12)",
    f"relu({joined('+', 'z{}', 16)} - 3)",
    f"exp(-({joined('+', 'z{}^2', 16)}))",
    f"log(1 + {joined('+', 'exp(z{})', 12)})",
    f"sqrt({joined('+', 'z{}^2', 16)})",
    f"({joined('*', 'z{}', 16)})^2",
    f"sin({joined('*', 'z{}', 10)})",
    joined("+", "sigmoid({}*z{})", 10),
    joined("+", "relu({}*z{})", 10),
    joined("+", "relu(z{} + {})", 10),
    joined("*", "cos({}*z{})", 10),
    joined("*", "heaviside(z{})", 14),
    joined("*", "erf(z{})", 12),
    joined("+", "sqrt({})*tanh(z{})", 16),
    joined("+", "z{}*He(2,z{})", 16),
]
EXTREMA = [
    "Min(Max(z1,z2,z3,z4,z5,z6),Max(z7,z8,z9,z10,z11,z12))",
    "Max(Min(z1,z2),Min(z3,z4),Min(z5,z6),Min(z7,z8))",
    nested("Max(Min({},z2),z3)", 6),
    nested("Min(1,Max(-1,2*{}))", 5),
    "Max(z1,z1^2,z1^3)",
    "Max(z1,-z1,z2,-z2,z3,-z3)",
    "Max(z1*z2,z3*z4,z5*z6)",
    "Min(abs(z1),abs(z2),abs(z3))*sign(z1*z2*z3)",
    "Max(sin(z1),cos(z1))",
    "Max(z1,1e300)",
    "Max(1,2,3)",
    "Max()",
]
OF_THEMSELVES = [
    *(nested("tanh({})", n) for n in (4, 16)),
    *(
        nested(f"{f}({{}})", 4)
        for f in ("sin", "erf", "sigmoid", "softplus", "gelu", "silu", "cos", "tan", "exp")
    ),
    nested("relu({}-1/2)", 20),
    nested("abs(1-{})", 12),
    nested("1/(1+({})^2)", 5),
    nested("sqrt(1+{})", 8, "z1^2"),
    nested("z1*(1+{})", 80),
    nested("(({})^2-1)", 7),
    nested("(({})+1)/2", 60),
    nested("({})", 2000),
    nested("-{}", 41),
    "He(5,He(5,z1))",
    "He(3,He(3,He(3,z1)))",
    "He(20,He(2,z1))",
    "He(2,He(20,z1+z2))",
    "He(64,z1)",
    "He(64,z1+z2+z3)",
    "He(40,z1)*He(40,z2)",
    "He(12,tanh(z1))",
    "He(30,cos(z1))",
    "He(1000,z1)",
    "tanh(He(11,z1))",
    "relu(He(7,z1)+He(5,z2))",
    "abs(He(12,z1))",
    "exp(-He(4,z1)^2)",
]
QUOTIENTS = [
    "exp(z1)/(1+exp(z1))",
    "exp(z1)/(exp(z1)+exp(z2)+exp(z3))",
    "z1/(exp(z1)-1)",
    "1/(1+exp(z1*z2))",
    "(1-exp(-z1^2))/z1^2",
    "exp(-1/z1^2)",
    "exp(-1/abs(z1))",
    "1/(exp(z1)-2)",
    "exp(z1^2/2)",
    "exp(0.4999999*z1^2)",
    "exp(-exp(-exp(z1)))",
    "exp(z1*z2/2)",
    "log(exp(z1)+exp(z2))*z3",
]
NUMBERS = [
    "1e300*z1",
    "1e300*z1*z2",
    "1e-300*z1",
    "10^400*z1",
    "z1/10^400",
    "10^(-5000)*z1",
    "tanh(1e300*z1)",
    "relu(z1-40)",
    "relu(z1-1e6)",
    "cos(1e10*z1)",
    "z1^2+1e-200*z1",
    "2^(2^12)*z1",
    "(10^100)^10*z1",
    "log(1e-300+z1^2)",
    "z1^(1e-9)",
    "abs(z1)^(-1+1e-9)",
    "abs(z1)^(1e3)",
    "z1^5000",
    "(1+1e-9*z1)^1000",
    "1e99999*z1",
    "100!*z1",
]
SUMS = [
    joined("+", "sin({}*z1)", 300),
    joined("+", "z1^{}", 200),
    joined("+", "He({},z1)", 60),
    joined("+", "z{}^2", 64),
    joined("-", "relu(z1-{})", 150),
    joined("+", "exp(-(z1-{})^2)", 100),
    joined("+", "cos(z1*{})*z2", 120),
    joined("+", "abs(z1-{}*z2)", 30),
    joined("+", "tanh(z1+{}*z2)", 40),
    joined("*", "sign(z1-{}/10)", 25),
    joined("*", "(z1^2-{})", 30),
    joined("+", "z{}", 999),
    joined("*", "z{}", 200),
    "(z1+z2+z3+z4)^20",
    "(z1+z2)^60",
    "(z1+z2^2+z3^3)^12",
    "(z1+z2+z3+z4+z5+z6+z7+z8+z9+z10)^10",
    "(sqrt(2)*z1+sqrt(3)*z2+sqrt(5)*z3)^8",
    "(relu(z1)+relu(z2)+relu(z3))^6",
    "(sin(z1)+cos(z2))^12",
    "(1+tanh(z1))^50",
]
OSCILLATING = [
    "sin(z1^9)",
    "cos(exp(z1))",
    "sin(1/z1)",
    "sin(1/(z1^2+1e-9))",
    "sin(100*z1*z2)",
    "z1*sin(1e4*z1)",
    "sign(sin(1000*z1))",
    "abs(sin(50*z1))",
    "relu(cos(20*z1)+z2)",
    "1/sin(z1)",
    "cos(z1)^100",
]
IRRATIONAL = [
    "relu(sqrt(2)*z1+pi*z2)+relu(e*z1-z2)",
    "z1+pi*z2^2+e*z3^3",
    "sign(z1+sqrt(2)*z2)*sign(z1-sqrt(2)*z2)",
    "abs(z1+2^(1/3)*z2)",
    "sqrt(sqrt(2)+sqrt(3))*z1^3+z2",
    "2^(1/3)*z1*z2+3^(1/3)*z3^2",
    "relu(z1)+relu(cos(1)*z1+sin(1)*z2)",
    "relu(z1)+relu(-z1/2+sqrt(3)/2*z2)+relu(-z1/2-sqrt(3)/2*z2)",
]
BY_PIECES = [
    "heaviside(z1)*z2+heaviside(-z1)*z3",
    "heaviside(z1)*exp(z2)+heaviside(-z1)*z2^3",
    "heaviside(z1^2-z2^2)*z3",
    "heaviside(1-z1^2-z2^2)*z1",
    "heaviside(z1*z2*z3*z4-1)",
    "sign(sign(sign(z1)))",
    "abs(z1)^abs(z1)",
    "z1^z1",
    "(-1)^z1",
    "sign(z1^3-3*z1)",
    "sign(z1^5-z1+1/10)",
    "sign(z1^3-3*z1*z2^2)",
    "sign(z1+z2+z3)*sign(z4+z5+z6)",
    "sign(z1^4+z2^4-z1*z2)",
    "sign((z1-1)^3*(z1+2)^2)",
    "sign(He(4,z1)+He(4,z2))",
    "sign(z1*z2*z3*z4*z5*z6-1)",
]
NO_TARGETS = [
    *(
        "5",
        "0*z1",
        "sin(z1)^2+cos(z1)^2",
        "relu(z1)-relu(-z1)-z1",
        "1/0",
        "1/(z1-z1)",
        "log(0)",
        "sqrt(-z1^2)",
    ),
    *(
        "I*z1",
        "oo*z1",
        "nan",
        "z0",
        "z1000",
        "z1 z2",
        "He(z1,2)",
        "He(-1,z1)",
        "He(10^9,z1)",
        "relu()",
        "z1^",
    ),
    *("[z1]", "z1\nz2", "α*z1", "\x00", "__import__('os')", "z1 if z1 else z2", "z1=2", "1e400*z1", "", "\t"),
    f"sqrt({'7' * 4000})*z1",
]
OWN = [
    *(*COMMITTEES, *EXTREMA, *OF_THEMSELVES, *QUOTIENTS, *NUMBERS),
    *(*SUMS, *OSCILLATING, *IRRATIONAL, *BY_PIECES, *NO_TARGETS),
]


def faults(text, answer):
    """Return what is wrong with the end of a command."""
    code, out, err, seconds, kilobytes = answer
    errors = [line for line in err.splitlines() if not line.startswith("warning: ")]
    expected = {0: [0], 2: [1, 3]}
    if code not in expected:
        yield f"exit code {code}: {err[-300:]}"
    elif len(errors) not in expected[code] or any(len(line) > LONGEST for line in errors):
        yield f"{len(errors)} lines of errors: {err[:300]}"
    elif bool(code) == bool(out) or (code and not errors[0].startswith("error: ")):
        yield f"{len(out)} characters of output with {err[:300]!r}"
    if seconds > SECONDS or kilobytes * 1000 > BYTES:
        yield f"{seconds:.1f} s, {kilobytes / 1e6:.2f} GB"
    if "Traceback" in err:
        yield err[-600:]


def ends(listed):
    """Return the ends of the command on texts, from two processes."""
    halves = listed[::2], listed[1::2]

    def of(half):
        return subprocess.run(
            [sys.executable, "-W", "ignore", "-c", PROGRAM],
            input="\n".join(json.dumps([text, EFFORT, SECONDS]) for text in half),
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30)),
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    with ThreadPoolExecutor(2) as pool:
        found = [[json.loads(line) for line in out.splitlines()] for out in pool.map(of, halves)]
    ordered = [None] * len(listed)
    ordered[::2], ordered[1::2] = found
    return ordered


@pytest.mark.deep
def test_analyze_ends_on_every_text_of_a_corpus():
    listed = [*dict.fromkeys([*OWN, *texts(180, seed=3)])]
    assert len(OWN) >= 150
    assert len(listed) >= 300
    wrong = {
        text[:100]: found
        for text, answer in zip(listed, ends(listed), strict=True)
        if (found := [*faults(text, answer)])
    }
    assert not wrong, "\n".join(f"{text!r}: {found}" for text, found in wrong.items())
