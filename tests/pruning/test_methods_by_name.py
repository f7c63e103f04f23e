"""The built-in methods are known by their words, and loaded when they are named."""

import subprocess
import sys

import pytest

from topoimp.choices import Method
from topoimp.pruning.methods.method import PruningMethod
from topoimp.pruning.methods.naming import built_in, method_of

PATH_MASKS = "topoimp.network.path_masks"
LOADED = f"; import sys; print(*sorted({{'{PATH_MASKS}', 'topoimp.network.path_sums'}} & {{*sys.modules}}))"


@pytest.mark.parametrize("method", Method)
def test_each_word_has_its_method(method):
    found = built_in(method)

    assert isinstance(found, PruningMethod)
    assert found.name == method.value
    assert type(found) is type(method_of(method.value))


@pytest.mark.parametrize(
    ("code", "loaded"),
    [
        ("import topoimp.commands.barcode", []),
        ("import topoimp.commands.compare", []),
        ("import topoimp.commands.prune", []),
        ("from topoimp.pruning.options import PruningOptions as P; P(rounds=1, method='magnitude')", []),
        ("from topoimp.pruning.options import PruningOptions as P; P(rounds=1, method='paths')", [PATH_MASKS]),
    ],
)
def test_passes_over_paths_are_loaded_for_their_methods_alone(code, loaded):
    done = subprocess.run([sys.executable, "-c", code + LOADED], capture_output=True, text=True, check=True)

    assert done.stdout.split() == loaded
