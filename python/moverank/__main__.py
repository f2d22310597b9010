"""``python -m moverank``."""

import sys

from moverank.cli import main

sys.exit(main())
