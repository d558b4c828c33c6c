"""``python -m everybody_dance`` is ``dance``."""

import sys

from everybody_dance.commands.main import main

if __name__ == "__main__":
    sys.exit(main())
