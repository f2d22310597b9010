"""A cluster of three nodes on one machine, for all tests of this folder."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ray.data", reason="needs Ray: pip install 'moverank[ray]'")

#: Each node has one CPU, and little memory for objects.
NODE = {"num_cpus": 1, "object_store_memory": 150 << 20}


#: Warnings of Ray about itself, which the rest of the suite would take for errors.
OF_RAY = (
    "ignore::DeprecationWarning",
    "ignore::FutureWarning",
    "ignore::ResourceWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent:
            for ignored in OF_RAY:
                item.add_marker(pytest.mark.filterwarnings(ignored))


@pytest.fixture(scope="session")
def cluster() -> Iterator[Any]:
    """Three nodes, to which this process is connected; `add_node` and `remove_node` change them.

    RAY_TEST_ADDRESS names a cluster to use in their place; tests that lose a node are then left out.
    """
    import ray
    from ray.cluster_utils import Cluster

    # Workers import moverank and these tests as this process does, and nothing is installed for them.
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    os.environ.setdefault("RAY_DATA_DISABLE_PROGRESS_BARS", "1")
    address = os.environ.get("RAY_TEST_ADDRESS")
    made = None if address else Cluster(initialize_head=True, head_node_args={**NODE, "include_dashboard": False})
    if made is not None:
        for _ in range(2):
            made.add_node(**NODE)
    ray.init(address=address or made.address, logging_level="ERROR", log_to_driver=False)
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.execution_options.preserve_order = True
    yield made
    ray.shutdown()
    if made is not None:
        made.shutdown()
