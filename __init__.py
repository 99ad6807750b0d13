"""Which functions gradient descent learns in high dimension, how fast, and what reusing a batch changes.

The public names load on first use: ``import rebatch`` costs nothing that is not needed.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "symbolic.overlap.activation": ["Activation"],
        "symbolic.language.catalog": ["catalog"],
        "symbolic.errors": [
            "DivergentError",
            "NotPolynomialError",
            "ParseError",
            "RebatchError",
            "TooLargeError",
            "UndefinedFunctionError",
        ],
        "symbolic.learnability.exponents": [
            "generative_exponent",
            "generative_leap",
            "information_exponent",
            "isotropic_leap",
            "leap",
            "relevant_subspace",
            "reuse_staircase",
        ],
        "symbolic.exact.expectation": ["Expectation"],
        "symbolic.calculus.gaussian": ["expectation"],
        "symbolic.calculus.hermite": ["hermite_series"],
        "symbolic.exact.known": ["How"],
        "symbolic.learnability.analyze": ["analyze"],
        "symbolic.learnability.verdict": ["two_step_verdict"],
        "symbolic.overlap.two_steps": ["two_step_overlap"],
        "symbolic.language.parse": ["parse"],
        "symbolic.overlap.series": ["overlap_series"],
        "symbolic.phases.diagram": ["phase_diagram"],
        "symbolic.language.target": ["Target"],
        "symbolic.version": ["__version__"],
        "numeric.inference.amp": ["amp", "amp_on_data"],
        "numeric.inference.ceiling": ["ceiling"],
        "numeric.inference.state_evolution": ["state_evolution"],
        "numeric.inference.threshold": ["alpha_curve", "weak_recovery_threshold"],
        "numeric.readout": ["Readout", "ridge_readout"],
        "numeric.setting": ["Setting"],
        "numeric.simulate": ["simulate"],
        "numeric.sweep": ["sweep"],
        "numeric.trajectory": ["Trajectory"],
        "verify.agreement": ["agreement"],
        "verify.learnability": ["learnability"],
        "verify.reuse_samples": ["reuse_scaling"],
        "verify.scaling": ["scaling"],
    },
)
