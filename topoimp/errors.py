"""Every error that topoimp raises on purpose.

    TopoimpError
    ├── CheckpointError      a file cannot be read as a checkpoint
    ├── LayerError           a tensor cannot be used as a layer, or two layers do not correspond
    ├── DataError            a data set cannot be read
    ├── TrainingError        training failed, or its weights cannot be used
    ├── EvaluationError      the user's evaluation failed, or printed no numbers that can be used
    ├── OutputError          an output cannot be written, or exists already
    ├── EngineError          a process or a machine that did the work failed, or cannot be used
    ├── OptionError          an argument is out of range, or contradicts another
    ├── MethodError          a method of the user's own raised an error, or returned no score for a weight
    ├── GateError            a condition that the caller set does not hold
    └── VerificationError    a written file differs from the plan, or a second method finds another result

Each message is one sentence that names the thing, the fault and the need. A bug of topoimp stays an ordinary exception.
"""


class TopoimpError(Exception):
    """The root of the tree."""


class CheckpointError(TopoimpError):
    """A file cannot be read as a checkpoint."""


class LayerError(TopoimpError):
    """A tensor cannot be used as a layer, or two layers do not correspond."""


class DataError(TopoimpError):
    """A data set cannot be read."""


class TrainingError(TopoimpError):
    """Training failed, or its weights cannot be used."""


class EvaluationError(TopoimpError):
    """The user's evaluation of a checkpoint failed, or printed no numbers that can be used."""


class OutputError(TopoimpError):
    """An output cannot be written, or exists already."""


class EngineError(TopoimpError):
    """A process or a machine that did the work failed, or cannot be used for it."""


class OptionError(TopoimpError):
    """An argument is out of range, or contradicts another."""


class MethodError(TopoimpError):
    """A method of the user's own raised an error, or returned no score for a weight."""


class GateError(TopoimpError):
    """A condition that the caller set does not hold; each of several conditions has a message."""


class VerificationError(TopoimpError):
    """A written file differs from the plan, or a second method finds another result."""
