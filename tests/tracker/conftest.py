from __future__ import annotations

import sys
from pathlib import Path

from hypothesis import settings

# disc_world is shared by the tests of this folder
sys.path.insert(0, str(Path(__file__).parent))
# a busy machine is no failure
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")
