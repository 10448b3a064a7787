"""Artifacts: typed statements about the files that components exchange.

A component's `run` returns an artifact. The job adds the producer, lineage and file digests, and seals all of it as
`manifest.json`. The next component receives a `Stored` artifact: the statement and the directory of its files.
"""

from components.artifacts.base import (
    SPLITS,
    Artifact,
    FileName,
    ImageShape,
    Sha256,
    Splits,
    Statement,
    Stored,
    raw_shape,
)
from components.artifacts.comparison import (
    ChangedImage,
    ComparedImage,
    DataChanges,
    DifferenceInterval,
    MetricComparison,
    PairedComparison,
    SplitChanges,
)
from components.artifacts.evaluation import (
    RUBBER_STAMPED,
    SEVERITIES,
    Baseline,
    Blessing,
    Calibration,
    Check,
    ClassMetrics,
    CorruptionCurve,
    Definition,
    Evaluation,
    InfraValidation,
    Interval,
    Metrics,
    QuantizedExport,
    ReliabilityBin,
    Robustness,
    Slice,
)
from components.artifacts.examples import (
    Anomaly,
    Drift,
    DriftMeasure,
    Examples,
    ExamplesShard,
    ExamplesSplit,
    Level,
    Source,
)
from components.artifacts.figures import Figure, Figures
from components.artifacts.model import (
    LOSSY_FORMATS,
    AugmentedImages,
    Epoch,
    Export,
    ExportFormat,
    InitialWeights,
    Layer,
    Model,
    TrainingEnvironment,
)
from components.artifacts.predictions import Predictions, PredictionShard, SkippedImages
from components.artifacts.pushed import PublishedVersion, PushedModel, Rollback, Servable
from components.artifacts.transformed import (
    GraphOperation,
    SplitOverlap,
    TransformedExamples,
    TransformedShard,
    TransformedSplit,
)
