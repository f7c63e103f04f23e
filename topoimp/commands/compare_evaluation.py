"""The user's evaluation of the checkpoints of a comparison, each beside that of its reference."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from topoimp.errors import OptionError
from topoimp.programs.evaluation import EvaluatedReference, Evaluation
from topoimp.reports.cells import Row
from topoimp.rounds.finished import ComparedFiles


def evaluated_files(
    evaluate: Evaluation | None, references: Mapping[ComparedFiles, Path], masks: Sequence[Path] = ()
) -> dict[str, Row]:
    """Return, by the name of each file, the columns of its evaluation and of that of its reference.

    Args:
        evaluate: the user's command; without one there are no columns.
        references: by checkpoint that is compared, the checkpoint that it is compared with. Each path is
            evaluated once.
        masks: the files that are masks.

    Raises:
        OptionError: if a file is a mask, which has no weights to evaluate.
        EvaluationError: if the evaluation fails.
    """
    if evaluate is None:
        return {}
    if masks:
        written = "prune with `apply_mask` writes the checkpoint under it, and evaluates that"
        raise OptionError(f"{masks[0]}: is a mask, which `evaluate` cannot run on; {written}")

    paths = dict.fromkeys(path for file, reference in references.items() for path in (reference, file.path))
    values = {path: evaluate.values(path) for path in paths}
    return {
        file.name: EvaluatedReference(evaluate, str(reference), values[reference]).beside(
            values[file.path], str(file.path)
        )
        for file, reference in references.items()
    }
