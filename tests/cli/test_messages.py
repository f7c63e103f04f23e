"""Arguments in the library's messages become flags."""

import pytest

from topoimp_cli.app import app
from topoimp_cli.messages import flags_of, with_flags

FLAGS = flags_of(app)


@pytest.mark.parametrize(
    ("name", "flag"), [("data_dir", "--data-dir"), ("force", "--force"), ("p", "--p"), ("output", "--output")]
)
def test_an_argument_has_the_flag_of_its_option(name, flag):
    assert FLAGS[name] == flag


def test_a_positional_argument_has_no_flag():
    assert "checkpoint" not in FLAGS


def test_a_marked_argument_reads_as_its_flag():
    message = "`output_layer` goes with `output_rate`; `hidden_layer` and output_rate are no marked options"

    assert with_flags(message, FLAGS) == (
        "--output-layer goes with --output-rate; `hidden_layer` and output_rate are no marked options"
    )


def test_an_error_of_the_library_names_the_flag(topoimp, lenet):
    outcome = topoimp("prune", lenet)

    assert outcome.status == 2
    assert "--rounds" in outcome.err
    assert "`" not in outcome.err
