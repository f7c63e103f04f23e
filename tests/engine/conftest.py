"""Two workers, which the tests of clusters share: starting them takes seconds."""

from contextlib import ExitStack

import distributed
import pytest
from machines import Machines, wait_for_file
from processes import PATIENCE

from topoimp.engine import pieces
from topoimp.engine.cluster import opened


@pytest.fixture(scope="session")
def two_workers(tmp_path_factory):
    """The file of a scheduler with two workers, whose nannies start them again."""
    with ExitStack() as stack:
        machines = Machines(tmp_path_factory.mktemp("two"), stack)
        for _ in range(2):
            machines.start_worker()
        wait_for_file(machines.file)
        with distributed.Client(scheduler_file=str(machines.file), set_as_default=False) as client:
            client.wait_for_workers(2, timeout=PATIENCE)
        yield str(machines.file)


@pytest.fixture(scope="module")
def engine(two_workers):
    """The engine over two workers; each layer of a kilobyte is a piece of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "SMALLEST", 1 << 10)
        with opened(two_workers) as found:
            yield found
