from pathlib import Path

import pandas

import startrack

for video in Path("videos").glob("*.mp4"):
    tables = [result.to_pandas() for result in startrack.track(video)]
    pandas.concat(tables).to_parquet(video.with_suffix(".parquet"))
