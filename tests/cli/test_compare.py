import json


def test_both_facts_are_shown_apart(topoimp, lenet):
    topoimp("prune", lenet, "--rounds", 10, "--method", "magnitude")

    outcome = topoimp("compare", lenet, lenet.with_name("lenet-300-100-mnist.pruned.safetensors"))

    header, network = outcome.out.splitlines()[1], outcome.out.splitlines()[-2]
    assert "beta0 kept" in header
    assert "barcode kept" in header
    assert network.split()[0] == "network"
    assert network.split().count("no") == 2


def test_the_convention_shown_can_be_chosen(topoimp, lenet):
    assert "np balwani before" in topoimp("compare", lenet, lenet, "--np", "balwani").out


def test_json_has_every_convention_of_both(topoimp, lenet):
    network = json.loads(topoimp("compare", lenet, lenet, "--format", "json").out)["network"]

    for convention in ("np_rieck", "np_rieck_finite", "np_balwani"):
        assert network[convention] == network[f"{convention}_reference"] > 0
