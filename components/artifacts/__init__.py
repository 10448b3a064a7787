"""The typed artifacts that components exchange: what each kind states about its files.

A component returns one of these; whoever runs the component adds the envelope (producer,
lineage, file digests) and seals both as `manifest.json`. A reading component gets it back as
a `Stored` artifact: the statement and the directory of its files.
"""

from components.artifacts.base import (
    SPLITS,
    Artifact,
    ArtifactT,
    Count,
    FileName,
    Fraction,
    ImageShape,
    PerSplit,
    Sha256,
    Splits,
    Statement,
    Stored,
)
from components.artifacts.evaluation import (
    RUBBER_STAMPED,
    SEVERITIES,
    Baseline,
    Blessing,
    Calibration,
    Check,
    CheckKind,
    ClassMetrics,
    CorruptionCurve,
    Evaluation,
    InfraValidation,
    Interval,
    Metrics,
    NonNegative,
    ReliabilityBin,
    Robustness,
    Slice,
)
from components.artifacts.examples import (
    Anomaly,
    Drift,
    DriftMeasure,
    Examples,
    ExamplesSplit,
    Level,
    Source,
)
from components.artifacts.figures import (
    Figure,
    Figures,
)
from components.artifacts.model import (
    Epoch,
    Model,
    TrainingEnvironment,
)
from components.artifacts.pushed import (
    PushedModel,
    Servable,
)
from components.artifacts.transformed import (
    GraphOperation,
    SplitOverlap,
    TransformedExamples,
    TransformedSplit,
)

__all__ = [
    "RUBBER_STAMPED",
    "SEVERITIES",
    "SPLITS",
    "Anomaly",
    "Artifact",
    "ArtifactT",
    "Baseline",
    "Blessing",
    "Calibration",
    "Check",
    "CheckKind",
    "ClassMetrics",
    "CorruptionCurve",
    "Count",
    "Drift",
    "DriftMeasure",
    "Epoch",
    "Evaluation",
    "Examples",
    "ExamplesSplit",
    "Figure",
    "Figures",
    "FileName",
    "Fraction",
    "GraphOperation",
    "ImageShape",
    "InfraValidation",
    "Interval",
    "Level",
    "Metrics",
    "Model",
    "NonNegative",
    "PerSplit",
    "PushedModel",
    "ReliabilityBin",
    "Robustness",
    "Servable",
    "Sha256",
    "Slice",
    "Source",
    "SplitOverlap",
    "Splits",
    "Statement",
    "Stored",
    "TrainingEnvironment",
    "TransformedExamples",
    "TransformedSplit",
]
