"""`python -m scalepose` is `scalepose`."""

import sys

from scalepose.cli import main

sys.exit(main())
