"""Oracle and tracker mode of eval-300vw on a made set: 10 faces of 300W common in slow motion, 300 frames each.

    python -m benchmarks.motion.made_300vw --data 300W --work made

The set, both reports (with pictures of the faces) and unfinished results stay in the folder of --work; JSON, CSV and
curves go to benchmarks/results. `tracker_minus_oracle` is in NME points, per cent of the inter-ocular distance.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.shared.record import RESULTS, write_result

CLI = Path(__file__).parents[2] / "cli.py"
MODES = ("oracle", "tracker")


def cli(*words: object) -> None:
    subprocess.run([sys.executable, str(CLI), *map(str, words)], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of 300W")
    parser.add_argument("--work", type=Path, required=True, help="folder for the set and the reports")
    parser.add_argument("--jobs", type=int, default=1)
    args = parser.parse_args()
    made = args.work / "made"
    if not made.exists():
        cli("make-300vw", made, "--data", args.data, "--split", "common", "--videos", 10, "--frames", 300)
    result: dict[str, Any] = {}
    for mode in MODES:
        out = args.work / mode
        cli("eval-300vw", "--data", made, "--out", out, "--mode", mode, "--jobs", args.jobs)
        result[mode] = json.loads((out / "results.json").read_text(encoding="utf-8"))
        shutil.copy(out / "videos.csv", RESULTS / f"300vw_made_{mode}.csv")
        shutil.copy(out / "ced.svg", RESULTS / f"300vw_made_{mode}_ced.svg")
    nme = {mode: each["categories"]["all"]["68_inter_ocular"]["nme_video"] for mode, each in result.items()}
    result["tracker_minus_oracle"] = nme["tracker"] - nme["oracle"]
    print(f"NME {nme}, tracker minus oracle {result['tracker_minus_oracle']:.3f}")
    write_result(RESULTS / "300vw_made.json", result)


if __name__ == "__main__":
    main()
