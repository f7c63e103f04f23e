"""The user's evaluation of the rounds of one seed: each round's model, beside that of round 0.

The numbers are columns of the round's metrics.json, which names the command too. A round that was finished under
another command, or under none, is evaluated when the rounds go on, and its metrics.json replaced.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from topoimp.checkpoint import Staging, remove
from topoimp.errors import CheckpointError
from topoimp.programs.evaluation import EvaluatedReference, Evaluation, left_alone
from topoimp.reports.cells import Row
from topoimp.reports.evaluation_columns import (
    EVALUATED,
    Values,
    evaluation_columns,
    evaluation_of,
    with_evaluation,
)
from topoimp.reports.report import Report
from topoimp.reports.rows import Settings
from topoimp.rounds.run_folder import PruningFiles
from topoimp.rounds.table import read_rows


@dataclass(frozen=True)
class RoundEvaluation:
    """The command that evaluates the rounds of a seed, None without one, and the files of the rounds."""

    evaluate: Evaluation | None
    files: PruningFiles
    seed: int

    def rows(self, rows: Sequence[Row], number: int, model: Path) -> list[Row]:
        """Evaluate the model of a round, and return the round's rows with the columns; as they are without a command.

        Raises:
            EvaluationError: if the evaluation fails, or changes the model.
        """
        if self.evaluate is None:
            return list(rows)
        subject = self._subject(number)
        with _tidied(model.parent), left_alone(model, subject):
            if number == 0:
                values = self.evaluate.values(model, subject)
                return with_evaluation(rows, evaluation_columns(values, values))
            reference = EvaluatedReference(self.evaluate, self._subject(0), self._values_of_round_0())
            return with_evaluation(rows, reference.columns(model, subject))

    def complete(self, n_finished: int) -> None:
        """Evaluate the finished rounds that this command has not evaluated yet; raise as ``rows``."""
        if self.evaluate is None:
            return
        for number in range(n_finished):
            round_ = self.files.round(number)
            settings = _settings_in(round_.metrics)
            if settings.get("evaluate") == self.evaluate.text:
                continue
            rows = read_rows(round_.metrics)
            own = [{name: row[name] for name in row if not name.startswith(EVALUATED)} for row in rows]
            report = Report("prune", {}, {**settings, **self.settings()}, self.rows(own, number, round_.model))
            with Staging([round_.metrics], force=True) as staging:
                staging.partial(round_.metrics).write_text(report.to_json(), encoding="utf-8")
                staging.commit()
        self.evaluate.check_needed(self._values_of_round_0(), self._subject(0))

    def settings(self) -> Settings:
        """Return the setting of a round's report that has the command; no setting without one."""
        return {} if self.evaluate is None else {"evaluate": self.evaluate.text}

    def _values_of_round_0(self) -> Values:
        return evaluation_of(read_rows(self.files.round(0).metrics)[-1])

    def _subject(self, number: int) -> str:
        return f"round {number} of seed {self.seed}"


@contextmanager
def _tidied(folder: Path) -> Iterator[None]:
    """Remove at the end of the context what came into a folder in it."""
    before = set(folder.iterdir())
    try:
        yield
    finally:
        for path in set(folder.iterdir()) - before:
            remove(path)


def _settings_in(metrics: Path) -> dict[str, str | int | float | None]:
    """Return the settings in the metrics of a round, which have been read as rows."""
    content = json.loads(metrics.read_text(encoding="utf-8"))
    settings = content.get("settings")
    if not isinstance(settings, dict):
        raise CheckpointError(f"{metrics}: does not hold the metrics of a round: it has no settings")
    return settings
