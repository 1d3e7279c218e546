"""Draw the README's picture: one round of a real run, its representation space projected by PCA.

python docs/pictures/representation_map.py docs/pictures/representation-map.png
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

import alvin_core as alvin
from dashboard.figures.representation_map import representation_map

ROUND = 2


def main(target: Path) -> None:
    with tempfile.TemporaryDirectory() as store:
        dataset = alvin.load_dataset(alvin.sample_path("reviews"))
        run = alvin.create_run(store, dataset, alvin.RunSettings(), source="reviews")
        records = list(run.run_rounds(ROUND))
        examples, anchors, kept = project(run)
    record = records[-1]
    figure = representation_map(
        examples,
        anchors,
        dataset.classes,
        title=f"reviews, ALVIN, round {ROUND}: {record.n_labeled} labels",
        note=(
            f"Principal components of the model's space ({kept:.0%} of its variance); places are approximate. "
            f"{len(anchors)} of {record.anchors['n']:,} anchors: the nearest to each selected example."
        ),
    )
    figure.write_image(target, width=1280, height=720, scale=1)


def project(run: alvin.Run) -> tuple[pd.DataFrame, pd.DataFrame, float]:
    """Place examples and the anchors behind the selection on the first two principal components."""
    ids, vectors = run.vectors(ROUND)
    centred = np.asarray(vectors, dtype=np.float64)
    centred -= centred.mean(axis=0)
    _, spread, axes = np.linalg.svd(centred, full_matrices=False)
    places = pd.DataFrame(centred @ axes[:2].T, columns=["x", "y"], index=pd.Index(ids, name="id"))
    examples = run.examples(ROUND).merge(places.reset_index(), on="id")
    links = run.provenance(ROUND).sort_values("distance").drop_duplicates("id").drop_duplicates("anchor")
    anchors = pd.DataFrame()
    for parent in ("minority", "majority"):
        at = places.loc[links[f"{parent}_id"]]
        anchors[f"{parent}_x"], anchors[f"{parent}_y"] = at["x"].to_numpy(), at["y"].to_numpy()
    weight = links["weight"].to_numpy()
    for axis in ("x", "y"):  # a projection along straight axes keeps an anchor between its parents
        anchors[axis] = weight * anchors[f"minority_{axis}"] + (1 - weight) * anchors[f"majority_{axis}"]
    return examples, anchors, float((spread[:2] ** 2).sum() / (spread**2).sum())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
