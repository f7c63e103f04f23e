from fractions import Fraction

import numpy as np
import pytest
from conftest import stream_of

from topoimp.choices import Preset, PruningSchedule, Scope, View
from topoimp.errors import OptionError
from topoimp.layers.records import LayerPatterns
from topoimp.pruning.methods.random_order import Random
from topoimp.pruning.methods.topological import Topological
from topoimp.pruning.options import PruningOptions, Scheme
from topoimp.pruning.schedule import Schedule


@pytest.fixture
def infos(write):
    """Three layers: fc1, fc2 and the output layer out."""
    return stream_of(write(dict.fromkeys(["fc1", "fc2", "out"], np.ones((3, 3))))).layers.infos


def rates(scheme):
    return {pattern: float(rate) for pattern, rate in scheme.schedule.layer_rates}


def test_the_defaults(infos):
    scheme = PruningOptions(rounds=3).scheme(infos)

    assert scheme == Scheme(
        Schedule(3, Fraction(1, 5), None),
        Topological(),
        Scope.LAYER,
        epsilon=0.0,
        seed=0,
        patterns=LayerPatterns(),
    )


def test_words_name_methods_scopes_and_rates(infos):
    options = PruningOptions(
        sparsity=0.75, rate=0.5, method="random", scope="global", seed=7, patterns=LayerPatterns(exclude=("out",))
    )

    assert options.scheme(infos) == Scheme(
        Schedule(2, Fraction(1, 2), Fraction(3, 4)),
        Random(),
        Scope.GLOBAL,
        seed=7,
        patterns=LayerPatterns(exclude=("out",)),
    )


@pytest.mark.parametrize("rounds", [1, 1000])
def test_the_ends_of_the_range_of_rounds_are_accepted(rounds):
    assert PruningOptions(rounds=rounds).pruning_schedule().n_rounds == rounds


@pytest.mark.parametrize("share", [1e-9, 1 - 1e-9])
def test_shares_close_to_0_and_1_are_accepted(share):
    assert PruningOptions(rounds=1, rate=share).pruning_schedule().rate == Fraction(str(share))
    assert PruningOptions(rounds=1, sparsity=share).pruning_schedule().sparsity == Fraction(str(share))


@pytest.mark.parametrize("epsilon", [0.0, 1.0])
def test_the_ends_of_the_range_of_epsilon_are_accepted(infos, epsilon):
    assert PruningOptions(rounds=1, epsilon=epsilon).scheme(infos).epsilon == epsilon


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rounds": 0}, "the number of rounds is 0; it must be at least 1 and at most 1000"),
        ({"rounds": 1001}, "the number of rounds is 1001; it must be at least 1 and at most 1000"),
        ({"sparsity": 0.0}, "the sparsity is 0.0; it must be above 0 and below 1"),
        ({"sparsity": 1.0}, "the sparsity is 1.0; it must be above 0 and below 1"),
        ({"rate": -0.1}, "the rate is -0.1; it must be at least 0 and below 1"),
        ({"rate": 1.0}, "the rate is 1.0; it must be at least 0 and below 1"),
        ({"rate": float("nan")}, "the rate is nan; it must be at least 0 and below 1"),
        ({"method": "strength"}, "there is no method 'strength'; known are topological, magnitude, random"),
        ({"scope": "network"}, "there is no scope 'network'; known are row, layer, global, erk"),
        ({"epsilon": -0.1}, r"epsilon is -0.1; it must be at least 0 \(full protection\) and at most 1 \(none\)"),
        ({"epsilon": 1.1}, r"epsilon is 1.1; it must be at least 0 \(full protection\) and at most 1 \(none\)"),
        ({"epsilon": 0.1, "method": "random"}, "epsilon is 0.1, but the method random protects nothing; topological"),
        ({"patterns": LayerPatterns(view=View.CHANNEL)}, "pruning is of weights, and needs the view matrix"),
        ({"output_layer": "out"}, "`output_layer` goes with `output_rate`, the rate of that layer"),
        ({"output_rate": "third"}, "`output_rate` is 'third'; it must be half, same, or a rate as in 0.1"),
        ({"output_rate": "1.0"}, "the rate is 1.0; it must be at least 0 and below 1"),
        ({"output_rate": -1}, "the rate is -1.0; it must be at least 0 and below 1"),
    ],
)
def test_options_out_of_range_are_refused_before_any_layer_is_known(options, message):
    with pytest.raises(OptionError, match=message):
        PruningOptions(**{"rounds": None if "sparsity" in options else 1, **options})


def test_the_preset_paper_is_linear_and_by_layer(infos):
    scheme = PruningOptions(rounds=2, sparsity=0.5, preset="paper").scheme(infos)

    assert scheme.schedule == Schedule(2, None, Fraction(1, 2), form=PruningSchedule.LINEAR)
    assert (scheme.scope, scheme.preset) == (Scope.LAYER, Preset.PAPER)


def test_the_preset_frankle_carbin_is_geometric_and_leaves_scope_and_rates_open(infos):
    preset = PruningOptions(rounds=2, preset="frankle-carbin", layer_rates={"out": 0.1})

    assert preset.scope is None
    assert preset.scheme(infos).schedule.form is PruningSchedule.GEOMETRIC
    assert rates(preset.scheme(infos)) == {"out": 0.1}
    assert PruningOptions(rounds=2, preset="frankle-carbin", scope="global").scheme(infos).scope is Scope.GLOBAL


@pytest.mark.parametrize("options", [{"schedule": "linear"}, {"scope": "layer"}, {"output_rate": "same"}])
def test_an_option_that_agrees_with_the_preset_is_accepted(options):
    assert PruningOptions(rounds=1, preset="paper", **options).schedule is PruningSchedule.LINEAR


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"preset": "pape"}, "there is no preset 'pape'; known are paper, frankle-carbin"),
        ({"schedule": "cosine"}, "there is no pruning schedule 'cosine'; known are geometric, linear"),
        (
            {"preset": "paper", "schedule": "geometric"},
            "the preset paper has the schedule linear, not geometric; leave `preset` or `schedule` out",
        ),
        ({"preset": "paper", "scope": "global"}, "the preset paper has the scope layer, not global; leave `preset` or"),
        ({"preset": "paper", "layer_rates": {"out": 0.1}}, "the preset paper has one rate for all layers; leave `pres"),
        ({"preset": "paper", "output_rate": "half"}, "the preset paper has one rate for all layers; leave `preset`"),
        ({"preset": "frankle-carbin", "schedule": "linear"}, "has the schedule geometric, not linear; leave `preset`"),
    ],
)
def test_schedules_and_presets_that_are_unknown_or_contradict_each_other_are_refused(options, message):
    with pytest.raises(OptionError, match=message):
        PruningOptions(rounds=1, **options)


def test_a_linear_rate_of_a_layer_leaves_weights(infos):
    with pytest.raises(OptionError, match=r"3 linear rounds at a rate of 0.4 remove all weights"):
        PruningOptions(rounds=3, rate=0.1, schedule="linear", layer_rates={"out": 0.4}).scheme(infos)

    scheme = PruningOptions(rounds=2, rate=0.1, schedule="linear", layer_rates={"out": 0.4}).scheme(infos)
    assert [scheme.schedule.targets_of(info, 100) for info in infos] == [[90, 80], [90, 80], [60, 20]]


def test_an_output_rate_needs_to_know_the_output_layer(infos):
    with pytest.raises(OptionError, match="`output_rate` needs `output_layer`: a checkpoint does not say which"):
        PruningOptions(rounds=1, output_rate="half").scheme(infos)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"output_rate": "half"}, {"out": 0.1, "fc*": 0.3}),
        ({"output_rate": "half", "rate": 0.6}, {"out": 0.3, "fc*": 0.3}),
        ({"output_rate": "same"}, {"fc*": 0.3}),
        ({"output_rate": "0.4"}, {"out": 0.4, "fc*": 0.3}),
        ({"output_rate": 0.4}, {"out": 0.4, "fc*": 0.3}),
    ],
)
def test_the_output_rate_comes_before_the_rates_of_layers(infos, options, expected):
    scheme = PruningOptions(rounds=1, layer_rates={"fc*": 0.3}, output_layer="out", **options).scheme(infos)

    assert rates(scheme) == expected
    assert list(rates(scheme)) == list(expected)


@pytest.mark.parametrize(("output_rate", "expected"), [("half", {"out": 0.1}), ("same", {})])
def test_the_output_rate_replaces_a_rate_of_that_layer(infos, output_rate, expected):
    scheme = PruningOptions(rounds=1, layer_rates={"out": 0.3}, output_layer="out", output_rate=output_rate).scheme(
        infos
    )

    assert rates(scheme) == expected


def test_the_rates_of_layers_are_text_in_the_settings(infos):
    scheme = PruningOptions(rounds=1, layer_rates={"fc*": 0.3, "out": 0.05}).scheme(infos)

    assert scheme.layer_amounts() == {"layer_rates": ["fc*=0.3", "out=0.05"]}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "neither rounds nor a sparsity is given"),
        ({"rounds": 3, "sparsity": 0.75, "rate": 0.5}, "takes 2 rounds, not 3; leave one out"),
        ({"rounds": 1, "layer_rates": {"conv": 0.1}}, "pattern 'conv' matches no layer that is pruned"),
        (
            {"rounds": 1, "layer_rates": {"out": 0.1}, "scope": "erk"},
            "in the scope erk shapes decide",
        ),
        ({"sparsity": 0.5, "layer_rates": {"out": 0.1}}, "a sparsity already fixes the density of every layer"),
    ],
)
def test_options_that_contradict_each_other_or_the_layers_give_no_scheme(infos, options, message):
    with pytest.raises(OptionError, match=message):
        PruningOptions(**options).scheme(infos)
