import pytest
from hypothesis import given
from hypothesis import strategies as st

from topoimp.layers.wrapped_names import bare_name, matched_names

NAMES = st.lists(st.text("ab", min_size=1, max_size=2), unique=True, max_size=6)
PREFIXES = ("module.", "_orig_mod.", "_orig_mod.module.", "module._orig_mod.")


@given(NAMES, st.sampled_from(PREFIXES))
def test_a_wrapper_of_all_names_is_no_difference_in_either_direction(names, prefix):
    wrapped = [f"{prefix}{name}" for name in names]

    assert matched_names(names, wrapped) == dict(zip(names, wrapped, strict=True))
    assert matched_names(wrapped, names) == dict(zip(wrapped, names, strict=True))


@given(NAMES, NAMES)
def test_without_wrappers_only_equal_names_match(names, others):
    assert matched_names(names, others) == {name: name for name in names if name in others}


@pytest.mark.parametrize(
    ("names", "others", "matched"),
    [
        (["a.module.b"], ["a.b"], {"a.module.b": "a.b"}),  # a part of the network that is wrapped by itself
        (["module.a"], ["_orig_mod.a"], {"module.a": "_orig_mod.a"}),
        (["a", "module.a"], ["a"], {"a": "a"}),
        (["a", "module.a"], ["_orig_mod.a"], {}),
        (["a"], ["module.a", "_orig_mod.a"], {}),
        (["a", "module.a"], ["a", "_orig_mod.a"], {"a": "a", "module.a": "_orig_mod.a"}),
        (["a", "b"], [], {}),
        ([], ["a"], {}),
    ],
)
def test_a_match_is_the_only_one_or_none(names, others, matched):
    assert matched_names(names, others) == matched


def test_a_name_that_only_begins_like_a_wrapper_keeps_that():
    assert bare_name("modules.0.module_list.weight") == "modules.0.module_list.weight"
