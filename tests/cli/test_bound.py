import json


def test_the_table_and_the_line_about_one_global_order(topoimp, lenet):
    outcome = topoimp("bound", lenet)

    assert outcome.status == 0
    assert "1,591" in outcome.out
    assert "167.3" in outcome.out
    assert "pruned by magnitude with one global order, all barcodes are kept down to " in outcome.err


def test_quiet_says_nothing_on_stderr(topoimp, lenet):
    assert topoimp("bound", lenet, "-q").err == ""


def test_an_architecture_needs_no_checkpoint(topoimp):
    content = json.loads(topoimp("bound", "--arch", "lenet-300-100", "--format", "json").out)

    assert content["network"]["floor"] == 1591
    assert content["settings"] == {"arch": "lenet-300-100", "rate": 0.2}


def test_an_architecture_has_no_layers_to_choose(topoimp):
    outcome = topoimp("bound", "--arch", "lenet-5", "--include", "fc*")

    assert outcome.status == 2
    assert "are about a CHECKPOINT; --arch has none" in outcome.err


def test_the_rate_changes_the_rounds(topoimp, lenet):
    content = json.loads(topoimp("bound", lenet, "--rate", "0.5", "--format", "json").out)

    assert content["network"]["rounds_to_floor"] == 3
