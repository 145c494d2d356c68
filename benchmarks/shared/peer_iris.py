"""MediaPipe's irises and eye corners on folders of pictures, for training and for comparing: a labels file.

It imports nothing of ours and runs in an environment of its own, as benchmarks/shared/peer_facemesh.py does:

    facemesh/bin/python benchmarks/shared/peer_iris.py 300w helen256 mebeauty --out irises.jsonl

Every picture below the folders with a .pts file of its name; one line of JSON for each in which it finds a face:
"picture", the last two folders and the stem, as Sample.name has it, "size" and "faces", each with "corners" (4, 2),
the right eye's outer and inner corner, the left eye's inner and outer, "iris" (2, 2), the right and the left centre,
and "radius" (2,), in pixels of the picture whose centres are integers. The file holds numbers only; keep it outside the
source tree, as the pictures'.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

# read by the libraries when they are loaded
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"
os.environ.setdefault("GLOG_minloglevel", "2")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

CORNERS = (33, 133, 362, 263)
IRISES = (range(468, 473), range(473, 478))
"""Centre, then four points of the edge; the subject's right eye, then the left."""
MOST_FACES = 3
PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")


def labelled(folder: Path) -> list[Path]:
    """Pictures below a folder that have a .pts file, by path."""
    paths = (path for path in folder.rglob("*") if path.suffix.lower() in PICTURE_SUFFIXES)
    return sorted(path for path in paths if path.with_suffix(".pts").exists())


def read_faces(result: Any, width: int, height: int) -> list[dict[str, Any]]:
    """The labels of every face that FaceMesh found."""
    import numpy as np

    faces = []
    for face in result.multi_face_landmarks or ():
        mesh = np.array([[one.x * width, one.y * height] for one in face.landmark]) - 0.5
        rings = [mesh[list(ring)] for ring in IRISES]
        radius = [float(np.linalg.norm(ring[1:] - ring[0], axis=1).max()) for ring in rings]
        faces.append(
            {
                "corners": mesh[list(CORNERS)].round(2).tolist(),
                "iris": [ring[0].round(3).tolist() for ring in rings],
                "radius": [round(one, 3) for one in radius],
            }
        )
    return faces


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", type=Path, nargs="+", help="pictures with .pts files, at any depth")
    parser.add_argument("--out", type=Path, required=True, help="file to write, one line a picture")
    args = parser.parse_args()
    import cv2
    import mediapipe

    found = count = 0
    partial = args.out.with_name(args.out.name + ".partial")
    options = {"static_image_mode": True, "refine_landmarks": True, "max_num_faces": MOST_FACES}
    with mediapipe.solutions.face_mesh.FaceMesh(**options) as network, open(partial, "w", encoding="utf-8") as file:
        for path in (path for folder in args.folders for path in labelled(folder)):
            picture = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
            count += 1
            if picture is None:
                continue
            height, width = picture.shape[:2]
            faces = read_faces(network.process(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)), width, height)
            if faces:
                found += 1
                name = "/".join((*path.parts[-3:-1], path.stem))
                file.write(json.dumps({"picture": name, "size": [width, height], "faces": faces}) + "\n")
    partial.replace(args.out)
    print(f"{args.out}: {found} of {count} pictures with a face")


if __name__ == "__main__":
    main()
