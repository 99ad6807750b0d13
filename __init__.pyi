"""The public names of rebatch: checkers read them here, and the package loads each from here on first use."""

from . import plot as plot
from .symbolic.overlap.activation import Activation as Activation
from .symbolic.language.catalog import catalog as catalog
from .symbolic.errors import (
    DivergentError as DivergentError,
    NotPolynomialError as NotPolynomialError,
    ParseError as ParseError,
    RebatchError as RebatchError,
    TooLargeError as TooLargeError,
    UndefinedFunctionError as UndefinedFunctionError,
)
from .symbolic.learnability.exponents import (
    generative_exponent as generative_exponent,
    generative_leap as generative_leap,
    information_exponent as information_exponent,
    isotropic_leap as isotropic_leap,
    leap as leap,
    relevant_subspace as relevant_subspace,
    reuse_staircase as reuse_staircase,
)
from .symbolic.exact.expectation import Expectation as Expectation
from .symbolic.calculus.gaussian import expectation as expectation
from .symbolic.calculus.hermite import hermite_series as hermite_series
from .symbolic.exact.known import How as How
from .symbolic.learnability.analyze import analyze as analyze
from .symbolic.learnability.verdict import two_step_verdict as two_step_verdict
from .symbolic.overlap.suitability import activation_check as activation_check, which_activation as which_activation
from .symbolic.overlap.two_steps import two_step_overlap as two_step_overlap
from .symbolic.language.parse import parse as parse
from .symbolic.overlap.series import overlap_series as overlap_series
from .symbolic.phases.diagram import phase_diagram as phase_diagram
from .symbolic.language.target import Target as Target
from .symbolic.version import __version__ as __version__
from .numeric.generalization import generalization as generalization
from .numeric.inference.algorithms import compare_algorithms as compare_algorithms
from .numeric.inference.amp import amp as amp, amp_on_data as amp_on_data
from .numeric.inference.ceiling import ceiling as ceiling
from .numeric.inference.spectral import spectral as spectral, spectral_limit as spectral_limit, spectral_on_data as spectral_on_data
from .numeric.inference.staircase import grand_staircase as grand_staircase
from .numeric.inference.state_evolution import state_evolution as state_evolution
from .numeric.inference.threshold import alpha_curve as alpha_curve, weak_recovery_threshold as weak_recovery_threshold
from .numeric.own_data import descend_on_data as descend_on_data, learned_directions as learned_directions
from .numeric.own_exponents import numeric_exponents as numeric_exponents
from .numeric.readout import Readout as Readout, ridge_readout as ridge_readout
from .numeric.repeat import repeat as repeat
from .numeric.setting import Setting as Setting
from .numeric.simulate import simulate as simulate
from .numeric.sweep import kept_runs as kept_runs, sweep as sweep
from .numeric.trajectory import Trajectory as Trajectory
from .verify.agreement import agreement as agreement
from .verify.full_batch import full_batch_scaling as full_batch_scaling
from .verify.learnability import learnability as learnability
from .verify.paper import paper as paper
from .verify.reuse_samples import reuse_scaling as reuse_scaling
from .verify.scaling import scaling as scaling
from .verify.universality_check import universality as universality
