import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from topoimp.layers.roles import places_of, roles_of


@pytest.mark.parametrize(
    ("names", "roles"),
    [
        (["h.0.attn.c_attn.weight", "h.11.attn.c_attn.weight"], ["h.*.attn.c_attn.weight"]),
        (["fc1.weight", "fc2.weight"], ["fc1.weight", "fc2.weight"]),
        (["features.0.weight", "features.3.weight"], ["features.*.weight"]),
        (["features.0.weight", "classifier.0.weight"], ["features.0.weight", "classifier.0.weight"]),
        (
            ["layer1.0.conv1.weight", "layer1.1.conv1.weight", "layer4.0.conv1.weight", "layer1.0.conv2.weight"],
            ["layer*.*.conv1.weight", "layer1.0.conv2.weight"],
        ),
        (  # the second number tells attention from the other layers of a block, and stays
            ["block.0.layer.0.q.weight", "block.1.layer.0.q.weight", "block.0.layer.1.wi.weight"],
            ["block.*.layer.0.q.weight", "block.0.layer.1.wi.weight"],
        ),
        (["layers.0.experts.0.w1.weight", "layers.1.experts.7.w1.weight"], ["layers.*.experts.*.w1.weight"]),
        (["rnn.weight_hh_l0", "rnn.weight_hh_l1"], ["rnn.weight_hh_l0", "rnn.weight_hh_l1"]),
        (["h.0.qkv.weight[0]", "h.0.qkv.weight[1]", "h.1.qkv.weight[0]"], ["h.*.qkv.weight[*]"]),
        (["w", "0", "1"], ["w", "*"]),
        (["", "a[x]", "[3]"], ["", "a[x]", "[3]"]),
        ([], []),
    ],
)
def test_roles_have_stars_for_the_numbers_that_differ(names, roles):
    assert list(dict.fromkeys(roles_of(names).values())) == roles


NAMES = st.lists(st.text("a0.1[]\n", max_size=8), unique=True, max_size=8)


@given(NAMES)
def test_a_role_with_numbers_for_its_stars_is_the_name(names):
    roles = roles_of(names)

    assert list(roles) == names
    assert all(re.fullmatch("[0-9]+".join(map(re.escape, role.split("*"))), name) for name, role in roles.items())


@given(NAMES)
def test_a_role_of_one_layer_is_its_name(names):
    roles = roles_of(names)
    members = list(roles.values())

    assert all(role == name for name, role in roles.items() if members.count(role) == 1)


@given(NAMES)
def test_the_order_of_the_names_changes_no_role(names):
    assert roles_of(names[::-1]) == roles_of(names)


@pytest.mark.parametrize(
    ("names", "numbers"),
    [
        (["h.0.attn.weight", "h.011.attn.weight", "lm_head.weight"], [(0,), (11,), ()]),
        (["h.0.experts.3.w1.weight", "h.2.experts.1.w1.weight"], [(0, 3), (2, 1)]),
        (["h.2.experts.3.w1.weight", "h.2.experts.1.w1.weight"], [(3,), (1,)]),
        (["h.0.qkv.weight[0]", "h.0.qkv.weight[2]", "h.1.qkv.weight[0]"], [(0, 0), (0, 2), (1, 0)]),
        ([], []),
    ],
)
def test_the_numbers_of_a_layer_are_those_at_which_its_role_differs(names, numbers):
    assert [place.numbers for place in places_of(names).values()] == numbers


@given(NAMES)
def test_a_place_has_a_number_for_each_star_and_they_are_those_of_the_name(names):
    for name, place in places_of(names).items():
        pattern = "([0-9]+)".join(map(re.escape, place.role.split("*")))
        assert tuple(map(int, re.fullmatch(pattern, name).groups())) == place.numbers
        assert place.role == roles_of(names)[name]
