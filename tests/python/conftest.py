"""Settings for the whole suite."""

import faiss
import hypothesis
import numpy as np

import moverank as mr

# Problems are drawn the same way each time: a failure in CI is a failure at home.
hypothesis.settings.register_profile("moverank", deadline=None, derandomize=True, max_examples=60)
hypothesis.settings.load_profile("moverank")


def pytest_report_header() -> str:
    return f"moverank {mr.__version__}, numpy {np.__version__}, faiss {faiss.__version__}, {mr.build_info()}"
