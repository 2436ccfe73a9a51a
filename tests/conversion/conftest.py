"""Lets the tests of this folder import what they share from `piper_files`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
