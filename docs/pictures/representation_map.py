"""Draw the README's picture: one round of a real run, its representation space projected by PCA.

python docs/pictures/representation_map.py docs/pictures/representation-map.png
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import alvin_core as alvin
from dashboard.colouring import color_by
from dashboard.figures.exporting import save_figure
from dashboard.figures.representation_map import representation_map

ROUND = 2
N_ANCHORS = 50  # the nearest to each selected example


def main(target: Path) -> None:
    with tempfile.TemporaryDirectory() as store:
        dataset = alvin.load_dataset(alvin.sample_path("reviews"))
        run = alvin.create_run(store, dataset, alvin.RunSettings(), source="reviews")
        records = list(run.run_rounds(ROUND))
        draw(run, records[-1].n_labeled, target)


def draw(run: alvin.Run, n_labeled: int, target: Path) -> None:
    columns = run.map_columns(ROUND)
    projection = run.project(ROUND, method="pca")
    figure = representation_map(
        columns,
        projection,
        color_by(columns, "class"),
        anchors=run.map_anchors(ROUND, projection, most=N_ANCHORS),
        title=f"reviews, ALVIN, round {ROUND}: {n_labeled} labels",
    )
    save_figure(figure, target)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
