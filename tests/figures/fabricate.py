"""A results and a data folder as the workflow leaves them: drawn images, classical fills in the place of networks."""

import cv2
import numpy as np
import pandas as pd
from PIL import Image
from safetensors.numpy import save_file

from spl.common.files import sha256
from spl.data.images import resize_image, resize_mask
from spl.miniature.images import draw_image
from spl.miniature.masks import draw_mask
from tests.fabricate import write_facts, write_manifest, write_masks_table

RADII = {"rn": 3, "rfr": 5, "mfe": 9, "ec": 7, "spl": 2}
CHANNELS = 8


def fabricate(root, *, datasets=("places2",), methods=("rn", "spl"), images=6, size=32, seed=1):
    """Write data/ and results/ for test images `test/<i>.png`, whose holes grow with i; return both folders."""
    for dataset in datasets:
        Dataset(root, dataset, methods, images, size, seed).write()
    return {"results": root / "results", "data": root / "data"}


class Dataset:
    def __init__(self, root, name, methods, images, size, seed):
        self.results, self.data = root / "results", root / "data"
        self.name, self.methods, self.size = name, methods, size
        drawn = [draw_image(name, seed=seed, split="test", index=i) for i in range(images)]
        self.names = [f"test/{i}.png" for i in range(images)]
        self.truths = [resize_image(np.asarray(image.image), size) for image in drawn]
        self.masks = [np.asarray(draw_mask(seed=seed, index=2 + i * 4 // images + 6 * i)) > 0 for i in range(images)]
        self.holes = [resize_mask(mask, size) for mask in self.masks]
        self.objects = [
            [(item.label, np.array(item.box) * size / image.image.width) for item in image.objects] for image in drawn
        ]

    def write(self):
        for name, truth in zip(self.names, self.truths, strict=True):
            save(self.data / "prepared" / self.name / name, truth)
        write_manifest(self.data / "prepared" / self.name / "manifest.csv", [("test", name) for name in self.names])
        for i, mask in enumerate(self.masks):
            save(self.data / "masks" / f"binary/{i}.png", mask)
        write_masks_table(self.data / "masks/masks.csv", [f"binary/{i}.png" for i in range(len(self.masks))])
        for method in self.methods:
            self.write_evaluation(method)
            self.write_detections(method, self.filled(method))
        self.write_detections("ground_truth", self.truths)
        self.write_priors()

    def filled(self, method):
        return [
            cv2.inpaint(truth, hole.astype(np.uint8), RADII[method], cv2.INPAINT_TELEA)
            for truth, hole in zip(self.truths, self.holes, strict=True)
        ]

    def write_evaluation(self, method):
        folder = self.results / "eval" / self.name / method / "seed1"
        rows = []
        for i, filled in enumerate(self.filled(method)):
            save(folder / "composited" / f"{i}.png", filled)
            error = np.mean((filled.astype(float) - self.truths[i]) ** 2)
            digest = sha256(folder / f"composited/{i}.png")
            rows.append((self.names[i], f"binary/{i}.png", self.masks[i].mean(), 10 * np.log10(255**2 / error), digest))
        save(folder / "composited/2/0.png", self.truths[0] * 0)  # a second mask, of which no figure shows anything
        rows.append((self.names[0], f"binary/{len(self.masks) - 1}.png", 0.59, 9.0, "ab" * 32))
        rows.append((self.names[1], "binary/0.png", 0.001, 60.0, "ab" * 32))
        columns = ["image", "mask", "hole_ratio", "psnr", "composited_sha256"]
        pd.DataFrame(rows, columns=columns).to_csv(folder / "per_image.csv", index=False)

    def write_detections(self, source, images):
        """Write the true objects; a fill loses those that it has changed most, and is less sure of the others."""
        rows = []
        for i, image in enumerate(images):
            for label, box in self.objects[i]:
                left, top, right, bottom = np.round(box).astype(int)
                there = np.s_[max(top, 0) : bottom, max(left, 0) : right]
                lost = np.abs(image[there].astype(float) - self.truths[i][there]).mean() / 255
                if lost < 0.15:
                    rows.append((self.names[i], label, round(0.97 - 3 * lost, 6), *np.round(box, 3)))
        columns = ["image", "label", "score", "x_min", "y_min", "x_max", "y_max"]
        path = self.results / "detections" / self.name / f"{source}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame(rows, columns=columns).to_csv(path, index=False)

    def write_priors(self):
        folder = self.results / "priors" / self.name
        folder.mkdir(parents=True, exist_ok=True)
        small = [cv2.resize(cv2.GaussianBlur(t, (0, 0), self.size / 50), (self.size // 4,) * 2) for t in self.truths]
        colours = np.stack(small).astype(np.float32).transpose(0, 3, 1, 2) / 255
        mixing = np.random.default_rng(0).normal(size=(CHANNELS, 3))
        priors = np.einsum("dc,nchw->ndhw", mixing, colours).astype(np.float16)
        edges = np.stack([cv2.Canny(truth, 100, 200)[None] for truth in self.truths])
        for method, tensors in (("spl", {"prior": priors}), ("ec", {"edges": edges})):
            save_file(tensors, folder / f"{method}.safetensors")
            write_facts(folder / f"{method}.json", images=self.names)


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
