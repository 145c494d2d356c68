from __future__ import annotations

from pathlib import Path

import pytest

from startrack.train.synthetic.head.assets import load_assets
from startrack.train.synthetic.studio import Studio, make_studio


@pytest.fixture(scope="session")
def studio(data_dir: Path) -> Studio:
    """Everything that the assets of the shared data give."""
    return make_studio(load_assets(data_dir / "synthetic_assets"))
