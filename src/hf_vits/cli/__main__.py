"""`python -m hf_vits.cli` is `hf-vits`."""

import sys

from hf_vits.cli import main

sys.exit(main())
