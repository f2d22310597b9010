"""``python -m moverank``."""

import sys

from moverank.cli import command

sys.exit(command())
