"""Every result tabulates itself, and those that have a figure draw it: one list, one set of claims."""

import os
import pickle
import re
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest
from flint import fmpq
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

import rebatch as rb
from rebatch.numeric.sweep import Runs
from rebatch.numeric.two_steps import TwoStepNumbers
from rebatch.symbolic.exact.shown import Drawn, Tabulated, in_tex
from rebatch.symbolic.language.papers import papers
from rebatch.verify.convergence import convergence
from rebatch.verify.learnability import Check, LearnabilityCheck
from rebatch.verify.paper import Curve, Paper, Rerun
from rebatch.verify.reuse_samples import ReuseScaling

LINEAR = rb.Setting(target="z1", activation="h", alpha=2, eta=0.5, steps=2)


def experiment(neurons, target):
    """The limit and runs of a small experiment."""
    setting = rb.Setting(target=target, activation="erf", neurons=neurons, alpha=2, eta=0.3, steps=3)
    limit = rb.simulate(setting, "limit", seed=0, points=64, scrambles=3)
    return limit, [rb.simulate(setting, d=60, seed=seed) for seed in range(3)]


def checked():
    """A check of verdicts on a direction that takes long to write, made by hand: a study takes seconds."""
    root = rb.analyze("sqrt(2)*z1*z2 + z1^3 + sqrt(3)*z2").two_step[0].direction
    d = np.array([200, 800, 3200])
    shared = {"predicted_error": 0.01, "d": d, "p_values": {}, "reason": "by hand"}
    slope = convergence_of().spread_slope
    checks = []
    for direction, reuse, claim, outcome in (
        (root, True, "learned", "agrees"),
        (root, False, "hidden", "inconclusive"),
        ((fmpq(1), fmpq(0)), True, "undecided", "no claim"),
    ):
        size = np.full(3, 0.4) if claim == "learned" else 1 / np.sqrt(d)
        setting = rb.Setting(target="z1 + z2", activation="relu", alpha=2, eta=0.07, steps=2, reuse=reuse)
        measured = {"mean": size / 2, "standard_error": size / 9, "size": size, "slope": slope}
        checks.append(
            Check(direction, 2, claim, setting=setting, predicted=0.4, outcome=outcome, **shared, **measured)
        )
    return LearnabilityCheck(rb.Target("sqrt(2)*z1*z2 + z1^3 + sqrt(3)*z2"), tuple(checks), 24, 1e-6, 3)


def reprinted():
    """An experiment of the paper with numbers by hand: rerunning it takes seconds."""
    curve = Curve("one batch", (1, 2), (0.1, 0.3), (0.01, 0.02), (0.1, 0.2), (0.02, 0.03), "limit", "theory")
    return Paper((Rerun("fig0", "Figure 0", "M, He_3", LINEAR, (curve,), ""),))


def on_data():
    """Two steps on labels of one's own."""
    X = np.random.default_rng(0).standard_normal((60, 9))
    return rb.descend_on_data(X, np.tanh(X[:, 0]), activation="erf", eta=0.1, steps=2, seed=0)


def convergence_of():
    return convergence(LINEAR, [30, 60, 120], [4] * 3)


def threshold():
    return rb.weak_recovery_threshold("He(2, z)", max_degree=3)


def swept():
    settings = [LINEAR, rb.Setting(target="z1", activation="h", alpha=2, eta=0.2, steps=2)]
    return Runs(rb.simulate(s, d=d, seed=seed) for s in settings for d in (40, 50) for seed in (0, 1))


def samples():
    """The samples of a reused batch, by hand: a study takes minutes."""
    setting = rb.Setting(target="He(3, z)", activation="tanh", alpha=4, eta=0.5, steps=2)
    d = np.array([500, 1000, 2000])
    alpha, error, fresh = np.array([4.2, 4.0, np.inf]), np.full(3, 0.1), 0.67 / np.sqrt(d)
    return ReuseScaling(setting, ("e1",), 3, 0.3, d, 8, 0, alpha, error, fresh, None, 1e-3)


# name -> the result, the panels of its figure (None: no figure), and options that draw it quickly.
RESULTS = {
    "Trajectory, one neuron": (lambda: experiment(1, "z1")[0], 1, {}),
    "Trajectory, 12 neurons": (lambda: experiment(12, "z1 + z1*z2 + z3")[0], 3, {}),
    "Agreement, 2 neurons": (lambda: rb.agreement(*experiment(2, "z1 + z1*z2")), 2, {}),
    "Agreement, 8 neurons": (lambda: rb.agreement(*experiment(8, "z1")), 1, {}),
    "sweep": (swept, 1, {}),
    "two steps": (lambda: rb.two_step_overlap("z1 + z2^2", "h + h^2/2"), 2, {"alpha": 2, "eta": 0.1}),
    "two steps, map": (lambda: rb.two_step_overlap("z1", "h + h^2/2"), 1, {"kind": "map"}),
    "two steps, numbers": (
        lambda: TwoStepNumbers(
            rb.Setting(target="z1", activation="relu", alpha=2, eta=0.1, steps=2), points=32
        ),
        1,
        {},
    ),
    "series": (lambda: rb.overlap_series("z1", "erf", 2), 1, {}),
    "convergence": (convergence_of, 1, {}),
    "learnability": (checked, 2, {}),
    "universality": (lambda: rb.universality(LINEAR, inputs="laplace", d=20, runs=6), 1, {}),
    "paper": (reprinted, 1, {}),
    "scaling": (lambda: rb.scaling("z1", dimensions=[64, 128, 256], replicas=16), 1, {}),
    "reuse_scaling": (samples, 2, {}),
    "full batch, none reached": (
        lambda: rb.full_batch_scaling("cos(z)", dimensions=[20, 30, 40], runs=6, steps=3),
        2,
        {},
    ),
    "full batch": (lambda: rb.full_batch_scaling("cos(z)", dimensions=[20, 30, 40], runs=6), 2, {}),
    "Threshold": (threshold, 1, {"variances": [1.0]}),
    "Threshold, certificates": (threshold, 1, {"kind": "certificates"}),
    "Threshold, transform": (threshold, 1, {"kind": "transform"}),
    "alpha_curve": (lambda: rb.alpha_curve("He(2, z)", np.array([1.0])), 1, {}),
    "state_evolution": (lambda: rb.state_evolution("He(3, z)", alpha=1.5), 1, {}),
    "grand_staircase": (lambda: rb.grand_staircase("z1^2 + z2^2"), None, {}),
    "amp": (lambda: rb.amp("He(3, z)", alpha=1.5, d=60, steps=2, seed=0), 1, {}),
    "spectral_limit": (lambda: rb.spectral_limit("z1^2", 1.5), None, {}),
    "spectral": (lambda: rb.spectral("z1^2", 1.5, d=60, steps=10, seed=0), None, {}),
    "ceiling": (lambda: rb.ceiling("He(3, z)", steps=2, etas=[0.1]), 1, {}),
    "phase_diagram": (lambda: rb.phase_diagram("z1 + He(3, z2)"), 6, {}),
    "compare_algorithms": (lambda: rb.compare_algorithms("z1 + z2^2", integrate=False), None, {}),
    "Analysis": (lambda: rb.analyze("z1 + He(3, z2)"), None, {}),
    "Analysis of inputs": (
        lambda: rb.analyze(rb.Target("z1*z2 + z1*z2*z3", inputs="boolean")),
        None,
        {},
    ),
    "exponent": (lambda: rb.generative_leap("z1^2"), None, {}),
    "reuse_staircase": (lambda: rb.reuse_staircase("z1 + z1*z2"), None, {}),
    "hermite_series": (lambda: rb.hermite_series("z1^3 + z2"), None, {}),
    "Expectation": (lambda: rb.expectation("tanh(z1)^2"), None, {}),
    "activation_check": (lambda: rb.activation_check("z1 + He(3, z2)", "relu"), None, {}),
    "which_activation": (lambda: rb.which_activation("He(3, z)", ["erf", "cos"]), None, {}),
    "learned_directions": (lambda: rb.learned_directions(on_data()), 1, {}),
    "Trajectory, no direction": (on_data, 1, {}),
    "numeric_exponents": (lambda: rb.numeric_exponents("z1 + z2^2"), None, {}),
    "generalization": (lambda: rb.generalization("z", "erf", eta=0.2, d=(40, 60), runs=2, samples=200), 2, {}),
    "Readout": (
        lambda: rb.ridge_readout(
            rb.simulate(LINEAR, d=50, seed=1), seed=1, samples=50, test_samples=50
        ),
        None,
        {},
    ),
}  # fmt: skip
FIGURES = [name for name, (_, panels, _) in RESULTS.items() if panels]
# Kinds that are drawn and are a row of an agreement's inputs, not answers of their own.
NO_TABLE = {"two steps, numbers"}
# Integrated again for every figure.
SLOW = {"two steps, numbers", "Threshold"}


@pytest.fixture(scope="module")
def made():
    """Each result, made once."""
    kept = {}

    def get(name):
        if name not in kept:
            kept[name] = RESULTS[name][0]()
        return kept[name]

    return get


@pytest.fixture(scope="module")
def drawn(made):
    """The axes of each result that has a figure, drawn once by its own method."""
    kept = {}

    def get(name):
        if name not in kept:
            kept[name] = made(name).plot(**RESULTS[name][2])
        return kept[name]

    plt.switch_backend("agg")
    with plt.rc_context({"figure.max_open_warning": 0}):
        yield get
    plt.close("all")


class Tags(HTMLParser):
    """Counts what is opened and not closed, and keeps the cells."""

    VOID = {"br", "img", "input", "path", "use", "mspace", "meta", "link"}  # noqa: RUF012

    def __init__(self):
        super().__init__()
        self.open, self.cells, self.known = [], 0, set()

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append(tag)
        self.known.add(tag)
        self.cells += tag == "td"

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag


@pytest.mark.parametrize("name", [name for name in RESULTS if name not in NO_TABLE])
def test_a_result_is_a_data_frame_with_a_row_for_each_record(made, name):
    result = made(name)
    frame = result.to_dataframe()
    assert len(frame) == len(result.records()) > 0
    assert all(isinstance(column, str) for column in frame.columns)
    for sheet in result.sheets():
        assert all(len(row) == len(sheet.head) for row in sheet.rows)
        assert all(isinstance(cell, str) for row in sheet.rows for cell in row)


@pytest.mark.parametrize("name", [name for name in RESULTS if name not in NO_TABLE])
def test_a_result_is_whole_html_and_latex(made, name):
    result = made(name)
    tags = Tags()
    tags.feed(result._repr_html_())
    assert not tags.open
    assert tags.cells or "math" in tags.known or "Trajectory" in name
    latex = result.to_latex()
    assert latex.count(r"\begin{") == latex.count(r"\end{")
    assert latex.count("{") - latex.count(r"\{") == latex.count("}") - latex.count(r"\}")
    for table in re.findall(r"\\begin\{tabular\}.*?\\end\{tabular\}", latex, re.DOTALL):
        assert all(rule in table for rule in (r"\toprule", r"\midrule", r"\bottomrule"))
    cited = [
        key for keys in re.findall(r"\\cite(?:\[[^\]]*\])?\{([^}]*)\}", latex) for key in keys.split(",")
    ]
    assert set(cited) <= set(papers())
    assert cited or not name.startswith("Analysis")
    assert re.search(r"tabular|align|^\$", latex)
    assert result._repr_latex_()


def test_a_notebook_shows_the_figures_after_the_first_too(tmp_path):
    # Its backend says when it is loaded that figures show themselves, as the one of notebooks does.
    (tmp_path / "shows_itself.py").write_text(
        "import matplotlib\nfrom matplotlib.backends.backend_agg import *\nmatplotlib.interactive(True)\n"
    )
    code = (
        "import matplotlib, rebatch as rb\n"
        "rb.overlap_series('z1', 'h', 1).plot()\n"
        "print(matplotlib.is_interactive())"
    )
    environment = os.environ | {"MPLBACKEND": "module://shows_itself", "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


@pytest.mark.parametrize("name", FIGURES)
def test_a_result_draws_itself_on_a_figure_that_notebooks_show(drawn, name):
    panels = drawn(name)
    assert panels.shape == (RESULTS[name][1],)
    assert all(isinstance(panel, Axes) for panel in panels)
    assert plt.fignum_exists(panels[0].figure.number)
    assert all(panel.has_data() for panel in panels)


@pytest.mark.parametrize("name", FIGURES)
def test_nothing_that_is_written_leaves_the_figure_or_lies_on_a_title(drawn, name):
    figure = drawn(name)[0].figure
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    whole = figure.bbox
    titles = [figure._suptitle, *(panel.title for panel in figure.axes)]
    written = [*titles, *(text for legend in figure.legends for text in legend.get_texts())]
    for panel in figure.axes:
        written += [panel.xaxis.label, panel.yaxis.label, *panel.texts]
    for text in written:
        if text is not None and text.get_text().strip():
            box = text.get_window_extent()
            assert box.x0 >= whole.x0 - 1
            assert box.x1 <= whole.x1 + 1
            assert box.y0 >= whole.y0 - 1
            assert box.y1 <= whole.y1 + 1
    boxes = [t.get_window_extent() for t in titles if t is not None and t.get_text()]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    for panel in figure.axes:
        if legend := panel.get_legend():
            inside, around = legend.get_window_extent(), panel.bbox.padded(3)
            assert around.x0 <= inside.x0
            assert inside.x1 <= around.x1


@pytest.mark.parametrize("name", FIGURES)
def test_a_legend_is_short_and_names_nothing_twice(drawn, name):
    figure = drawn(name)[0].figure
    legends = [*figure.legends, *(panel.get_legend() for panel in figure.axes if panel.get_legend())]
    for legend in legends:
        names = [text.get_text() for text in legend.get_texts()]
        assert len(names) == len(set(names)) <= 10


@pytest.mark.parametrize("name", FIGURES)
def test_own_axes_are_counted(made, name):
    _, count, options = RESULTS[name]
    with pytest.raises(rb.RebatchError, match=f"{count + 1} axes; allowed are {count}"):
        made(name).plot(ax=Figure().subplots(1, count + 1), **options)


@pytest.mark.parametrize("name", [name for name in FIGURES if name not in SLOW])
def test_own_axes_are_used(made, name):
    _, count, options = RESULTS[name]
    axes = Figure().subplots(1, count, squeeze=False)[0]
    panels = made(name).plot(ax=axes if count > 1 else axes[0], **options)
    assert list(panels) == list(axes)


def test_a_figure_states_its_experiment(drawn):
    text = " ".join(drawn("Agreement, 2 neurons")[0].figure._suptitle.get_text().split())
    for said in ("g(z) = z1 + z1*z2", "sigma = erf", "p = 2", "alpha = 2", "eta = 0.3", "d = 60"):
        assert said in text


def test_a_figure_of_a_sweep_states_what_varies_and_what_does_not(drawn):
    text = " ".join(drawn("sweep")[0].figure._suptitle.get_text().split())
    for said in ("d = 40, 50", "eta = 0.2, 0.5", "target = z1", "activation = h", "alpha = 2", "2 s.e."):
        assert said in text


@pytest.mark.parametrize("name", ["Trajectory, 12 neurons", "Agreement, 8 neurons"])
def test_many_neurons_have_a_colour_each_and_a_bar_that_names_them(drawn, name):
    panels = drawn(name)
    neurons = int(re.search(r"(\d+) neurons", name)[1])
    lines = [line for line in panels[0].lines if len(line.get_xdata()) == 4 and line.get_linestyle() == "-"]
    assert len({to_hex(line.get_color()) for line in lines}) == len(lines) == neurons
    assert "neuron" in [axes.get_ylabel() for axes in panels[0].figure.axes]


def test_an_option_of_another_kind_is_refused_by_name(made):
    with pytest.raises(rb.RebatchError, match="no option points here; allowed are ax, alpha, eta, kind"):
        made("two steps").plot(points=3)
    with pytest.raises(rb.RebatchError, match=r"open in .*allowed for a figure"):
        rb.overlap_series("He(3, z1)", None).plot()
    with pytest.raises(rb.RebatchError, match="ax = 3; allowed are axes of Matplotlib"):
        made("two steps").plot(ax=3)
    with pytest.raises(rb.RebatchError, match="a int has no figure"):
        rb.plot.draw(3)


def test_what_is_drawn_is_drawn_from_below_and_every_kind_is_in_the_list(made):
    kinds = {type(made(name)) for name in RESULTS}
    assert {kind for kind in kinds if issubclass(kind, Drawn)} == {type(made(name)) for name in FIGURES}
    subclasses, todo = set(), [Tabulated, Drawn]
    while todo:
        todo += (found := todo.pop().__subclasses__())
        subclasses |= {kind for kind in found if kind.__module__.startswith("rebatch")}
    untried = {kind.__name__ for kind in subclasses if not any(issubclass(made_, kind) for made_ in kinds)}
    # Kinds of exponents whose table is that of an exponent.
    assert untried <= {"IsotropicLeap", "CoordinateLeap"}


def test_the_pair_of_an_alpha_curve_unpacks_and_travels(made):
    curve = made("alpha_curve")
    alphas, errors = curve
    again = pickle.loads(pickle.dumps(curve))
    np.testing.assert_array_equal(again.alphas, alphas)
    np.testing.assert_array_equal(again.variances, curve.variances)
    assert len(errors) == 1


def test_a_notebook_holds_no_endless_table_and_a_paper_the_whole():
    setting = rb.Setting(target="z1", activation="h", alpha=1, eta=0.01, steps=300)
    run = rb.simulate(setting, d=50, seed=0)
    assert run.to_latex().count(r"\\") == 302
    assert run._repr_latex_().count(r"\\") < 70
    frame = run.to_dataframe()
    np.testing.assert_array_equal(frame["M[1, z1]"], run.M.values[:, 0, 0])


@pytest.mark.parametrize("variances", ["x", [[1.0]], [], [-1.0], [np.nan]])
def test_variances_are_a_sequence_of_numbers(made, variances):
    with pytest.raises(rb.RebatchError, match="varianc"):
        made("Threshold").plot(variances=variances)


def test_latex_escapes_what_has_a_meaning_there_and_cites_papers():
    assert in_tex("a_b & 5% [D24]") == r"a\_b \& 5\% \cite{D24}"
    assert in_tex("x^2 <= y [A23, BA21, section 3]") == r"x\^{}2 $<$= y \cite[section 3]{A23,BA21}"
    assert in_tex("M[1, z1]") == "M[1, z1]"
