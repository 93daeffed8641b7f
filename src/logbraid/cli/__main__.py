"""``python -m logbraid.cli``, the same as the command ``logbraid``."""

import sys

from logbraid.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
