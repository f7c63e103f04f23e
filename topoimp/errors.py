"""Every error that topoimp raises on purpose.

    TopoimpError
    ├── CheckpointError      a file cannot be read as a checkpoint
    ├── LayerError           a tensor cannot be used as a layer, or two layers do not correspond
    ├── DataError            a data set cannot be read
    ├── TrainingError        training did not give weights that can be used
    ├── OutputError          an output cannot be written, or is there already
    ├── OptionError          an argument is outside what it may be, or contradicts another
    ├── GateError            a condition that the caller asked to be enforced does not hold
    └── VerificationError    what topoimp wrote is not what it meant to write, or what it found is contradicted

Each message names the thing, what was found and what is needed, in one line. A bug of ours stays an ordinary exception.
"""


class TopoimpError(Exception):
    """The root of the tree: whatever topoimp refuses to do."""


class CheckpointError(TopoimpError):
    """A file cannot be read as a checkpoint."""


class LayerError(TopoimpError):
    """A tensor cannot be used as a layer, or two layers do not correspond."""


class DataError(TopoimpError):
    """A data set cannot be read."""


class TrainingError(TopoimpError):
    """Training did not give weights that can be used."""


class OutputError(TopoimpError):
    """An output cannot be written, or is there already."""


class OptionError(TopoimpError):
    """An argument is outside what it may be, or contradicts another."""


class GateError(TopoimpError):
    """A condition that the caller asked to be enforced does not hold; of several, each has its message."""


class VerificationError(TopoimpError):
    """What topoimp wrote is not what it meant to write, or what it found is contradicted by another way to find it."""
