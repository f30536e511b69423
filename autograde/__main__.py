"""``python -m autograde``: the command ``autograde``."""

import sys

from autograde.commands import main

sys.exit(main())
