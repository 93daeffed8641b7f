"""``python -m logbraid check``."""

import sys

from logbraid.doctor import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
