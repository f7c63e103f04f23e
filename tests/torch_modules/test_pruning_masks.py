import numpy as np
import pytest
from conftest import stream_of

from topoimp.choices import Scope
from topoimp.commands.prune import prune_checkpoint
from topoimp.errors import VerificationError
from topoimp.pruning.masks import read_masks
from topoimp.pruning.methods.magnitude import Magnitude
from topoimp.pruning.methods.topological import Topological
from topoimp.pruning.one_shot import sweep
from topoimp.pruning.options import PruningOptions, Scheme
from topoimp.pruning.schedule import plan_schedule
from topoimp.torch_modules.pruning import masks_of_round

SCHEDULE = plan_schedule(rounds=5, sparsity=None, rate=None)


def test_what_a_round_keeps_is_what_the_mask_file_says(lenet):
    stream = stream_of(lenet)
    round_ = sweep(stream, Scheme(SCHEDULE, method=Topological(), scope=Scope.GLOBAL)).rounds[-1]

    masks = masks_of_round(stream, round_)

    written = read_masks(prune_checkpoint(lenet, PruningOptions(rounds=5, scope=Scope.GLOBAL)).outputs.mask)
    assert list(masks) == list(written)
    assert [name for name in masks if not np.array_equal(masks[name], written[name].kept())] == []


def test_a_mask_that_keeps_another_number_than_was_meant_is_a_defect(lenet):
    stream = stream_of(lenet)
    first, *_, last = sweep(stream, Scheme(SCHEDULE, method=Magnitude(), scope=Scope.LAYER)).rounds
    mixed = type(last)(last.number, last.target, first.keeps, last.layers)

    with pytest.raises(
        VerificationError, match=r"the mask of 'fc1.weight' keeps 188160 weights; 77070 were to be kept"
    ):
        masks_of_round(stream, mixed)
