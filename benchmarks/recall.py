"""Are half-hidden objects found again in the filled images of a study, by a detector that is nobody's teacher?

    python benchmarks/recall.py --params presets/study_1.yaml --directory study

Trains a detector once, into results/teachers/judge of the study's workspace: that of `--detector`, a parameter file,
with a seed of its own, at the size of the study's images, on the study's labelled images. An object counts if the
detector finds it in the uncorrupted test image, and the hole hides a quarter to three quarters of its box. Recall is
the share of these objects that it finds again: of the same class, with an IoU of at least 0.5.

Says recall in the uncorrupted images, which must be 1, and in images filled by Telea; adds a row to `--table` for
every run of the study that has been evaluated at the end of its training; prints the contrasts of the study in recall.
"""

import argparse
import os
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image

from spl.analysis.evidence import MASK_RATIOS
from spl.common.files import sha256
from spl.common.progress import say
from spl.common.tables import read_table, write_table
from spl.common.versions import versions
from spl.config.experiment import Params
from spl.config.load import load_params
from spl.config.teachers import TeacherDetector, TrainedYOLO
from spl.data.classical import FILLS, classical_fill
from spl.data.images import decode_rgb
from spl.data.stored import FilledImages, GroupedMasks, PreparedImages
from spl.detection.average_precision import match_objects
from spl.detection.boxes import Detections
from spl.detection.occlusion import occluded_fraction
from spl.evaluation.detect_objects import Detect, load_detector
from spl.planning.study import KEY, StudyRun, contrasts, planned_runs, study_of
from spl.steps import paths
from spl.steps.records import read_record, require_current
from spl.steps.settings import DetectionSettings, EvaluationSettings, TeacherSettings
from spl.tensors.compositing import to_image
from spl.training.distributed import World
from spl.training.train_teacher import make_teacher

CPU = torch.device("cpu")
JUDGE = paths.TEACHERS / "judge"
SEED = 1
"""Of the detector: no teacher of a study has it."""
HIDDEN = (0.25, 0.75)
"""Share of its box that is missing of an object that counts."""
COLUMNS = [*KEY, "mask_ratio", "n_objects", "recall", "signature", "commit"]

Pixels = Callable[[int], np.ndarray]
"""Row of the pairs -> an image (H, W, 3) uint8."""


def load_judge(params: Params, default: Params) -> tuple[Detect, Path]:
    """Return the detector and the file of its weights; train it if it is not there."""
    if params.pretext is None:
        raise SystemExit("the study has no labelled images (`pretext` is null), so there is no object to look for")
    if default.detection is None or not isinstance(default.detection.detector, TeacherDetector):
        raise SystemExit("--detector names no parameter file with a `detection` by a teacher; presets/demo.yaml is one")
    network = default.teachers[default.detection.detector.teacher]
    assert isinstance(network, TrainedYOLO)
    size = next(iter(params.datasets.values())).image_size
    detector = TeacherSettings(
        teacher=JUDGE.name,
        seed=SEED,
        network=network.model_copy(update={"image_size": size, "seed": SEED}),
        pretext=params.pretext,
        threads=params.threads,
    )
    record = JUDGE / "run.json"
    if not record.exists():
        make_teacher(detector, paths.PRETEXT, JUDGE, world=World(0, 1, CPU), should_stop=lambda step: False)
    least, threads = default.detection.min_score, params.threads
    settings = DetectionSettings(dataset="", seeds={}, detector=detector, min_score=least, threads=threads)
    detect, _, weights = load_detector(settings, paths.RESULTS, CPU)
    say(f"mean average precision of the detector: {read_record(record)['validation_map']:.3f}")
    return detect, weights


class HiddenObjects:
    """The half-hidden objects of a dataset's test images."""

    def __init__(self, detect: Detect, images: Pixels, holes: Pixels, rows: list[int]) -> None:
        found = {i: half_hidden(detect(to_image(images(i))), holes(i)) for i in rows}
        self.by_row = {i: objects for i, objects in found.items() if len(objects.labels)}
        self._detect = detect

    def __len__(self) -> int:
        return sum(len(objects.labels) for objects in self.by_row.values())

    def recall(self, pixels: Pixels) -> float:
        """Return the share of them that is found again in other images."""
        found = [match_objects(objects, self._detect(to_image(pixels(i)))) > 0 for i, objects in self.by_row.items()]
        return torch.cat(found).double().mean().item()


def half_hidden(found: Detections, hole: np.ndarray) -> Detections:
    """Return the objects of an image that count. Shapes: hole (H, W) bool, True = hole."""
    least, most = HIDDEN
    kept = [least <= occluded_fraction(hole, box) <= most for box in found.boxes.cpu().numpy()]
    return Detections(*(part[torch.tensor(kept, dtype=torch.bool)] for part in found))


def through_png(pixels: np.ndarray) -> np.ndarray:
    """Encode an image as an evaluation does, and decode it."""
    Image.fromarray(pixels).save(file := BytesIO(), "png")
    return decode_rgb(file.getvalue(), "an image in memory")


def evaluated_runs(params: Params, dataset: str) -> Iterator[tuple[StudyRun, Path]]:
    """Yield the runs that have been evaluated at the end of their training, with their per-image results."""
    for run in planned_runs(params):
        file = paths.RESULTS / run.evaluation
        if run.dataset == dataset and run.root == Path() and file.exists():
            settings = EvaluationSettings.of(params, dataset=dataset, method=run.method, seed=run.seed)
            require_current(file.with_name("record.json"), settings, {})
            yield run, file


def main() -> None:
    """Add what the table lacks, and print the contrasts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--params", type=Path, default=Path("presets/study_1.yaml"))
    parser.add_argument("--directory", type=Path, default=Path("study"), help="the workspace of the study")
    parser.add_argument("--detector", type=Path, default=Path("presets/demo.yaml"), help="parameters with `detection`")
    parser.add_argument("--table", type=Path, default=Path("docs/study/recall.csv"))
    arguments = parser.parse_args()
    params, default, table = load_params(arguments.params), load_params(arguments.detector), arguments.table.absolute()
    study, commit = study_of(params), versions()["commit"]
    torch.set_num_threads(params.threads)
    os.chdir(arguments.directory)
    detect, weights = load_judge(params, default)
    rows: list[dict[Any, Any]] = read_table(table).to_dict("records") if table.exists() else []
    signatures = []
    for dataset in study.contrasts:
        listed, size = Path(str(paths.PAIRS).format(dataset=dataset)), params.datasets[dataset].image_size
        pairs = read_table(listed)
        images = PreparedImages(Path(str(paths.IMAGES).format(dataset=dataset)), names=pairs["image"])
        masks = GroupedMasks(paths.MASKS, names=pairs["mask"])
        holes = [masks.hole(i, size) for i in range(len(pairs))]
        chosen = np.flatnonzero(pairs["ratio_bin"].isin(MASK_RATIOS[study.mask_ratio])).tolist()
        hidden = HiddenObjects(detect, images.pixels, holes.__getitem__, chosen)
        say(f"{dataset}: {len(hidden)} half-hidden objects in {len(hidden.by_row)} of {len(chosen)} images")
        if not len(hidden):
            continue
        for name, image in {
            "uncorrupted": images.pixels,
            "telea": lambda i, own=images, holes=holes: classical_fill(own.pixels(i), holes[i], FILLS["telea"]),
        }.items():
            say(f"{dataset} {name}: recall {hidden.recall(lambda i, image=image: through_png(image(i))):.3f}")
        signatures.append(f"detector {sha256(weights)[:8]} · pairs {sha256(listed)[:8]}")
        facts = {
            "mask_ratio": study.mask_ratio,
            "n_objects": len(hidden),
            "signature": signatures[-1],
            "commit": commit,
        }
        known = {tuple(row[name] for name in (*KEY, "signature")) for row in rows}
        for run, file in evaluated_runs(params, dataset):
            if (*run[: len(KEY)], signatures[-1]) in known:
                continue
            recall = hidden.recall(FilledImages(file).pixels)
            rows.append(dict(zip(KEY, run, strict=False)) | facts | {"recall": recall})
            write_table(table, pd.DataFrame(rows, columns=pd.Index(COLUMNS)).sort_values([*KEY, "signature"]))
            say(f"{dataset} {run.method} seed {run.seed}: recall {recall:.3f}")
    here = pd.DataFrame(rows, columns=pd.Index(COLUMNS))
    found = contrasts(params, here[here["signature"].isin(signatures)], ["recall"])
    print("no run has been evaluated" if found.empty else found.to_string(index=False, float_format="{:+.4f}".format))


if __name__ == "__main__":
    main()
