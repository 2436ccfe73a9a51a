"""Writers are tested with the layouts that readers are."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "conversion"))
