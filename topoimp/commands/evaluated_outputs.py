"""The user's evaluation of a pruning's input and outputs: the outputs before they get their final names.

A command that fails so leaves no output. It gets each output under its final name, as a link in a temporary folder:
loaders go by the endings of names.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from topoimp.checkpoint import Checkpoint, Staging
from topoimp.programs.evaluation import EvaluatedReference, Evaluation, left_alone
from topoimp.reports.cells import Row
from topoimp.reports.evaluation_columns import with_evaluation
from topoimp.reports.rows import Settings


@dataclass(frozen=True)
class OutputEvaluation:
    """The evaluation of the outputs of a pruning beside that of its input; None if the user gave no command."""

    reference: EvaluatedReference | None

    @staticmethod
    def beside(evaluate: Evaluation | None, checkpoint: Checkpoint) -> "OutputEvaluation":
        """Evaluate the input, in the form that the outputs have: the folder of an index. Raise an EvaluationError."""
        path = checkpoint.paths.folder or checkpoint.path
        return OutputEvaluation(None if evaluate is None else evaluate.of_reference(path))

    def columns(self, staging: Staging, target: Path) -> Row:
        """Evaluate an output under its temporary name, and return the columns of both; none without a command.

        Raises:
            EvaluationError: if the evaluation fails, or changes the output.
        """
        if self.reference is None:
            return {}
        place = staging.partial(target)
        with left_alone(place, str(target)), _named(place, target.name) as named:
            return self.reference.columns(named, str(target))


def with_evaluations(rows: Sequence[Row], by_round: Mapping[int, Row]) -> list[Row]:
    """Return the rows of several rounds, with the columns of an evaluation in the rows of the network.

    A round that is not in ``by_round`` was not written: its columns are None.
    """
    unknown = dict.fromkeys(column for columns in by_round.values() for column in columns)
    return [row for each in rows for row in with_evaluation([each], by_round.get(int(str(each["round"])), unknown))]


def evaluation_settings(evaluate: Evaluation | None) -> Settings:
    """Return the setting of a report that has the user's command; no setting without one."""
    return {} if evaluate is None else {"evaluate": evaluate.text}


@contextmanager
def _named(place: Path, name: str) -> Iterator[Path]:
    """Return a link to a file or a folder that has another name, within the context."""
    with tempfile.TemporaryDirectory(prefix="topoimp-") as folder:
        link = Path(folder) / name
        link.symlink_to(place.absolute(), target_is_directory=place.is_dir())
        yield link
