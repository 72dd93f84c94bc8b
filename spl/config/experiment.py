"""The shape of `params.yaml`: every scientific value, as small frozen objects.

Scientific values have no defaults here, so `params.yaml` is the complete record of an experiment. `spl.config.load`
reads the file; past that door travel the objects below and those of `spl.config.teachers` and `spl.config.methods`,
never a dict.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Annotated, ClassVar, Literal, NamedTuple

from pydantic import AfterValidator, Field, model_validator

from spl.common.labels import dataset_title
from spl.config.base import UNCOUNTED, FilePath, Name, Positive, Seed, Size, Strict, Weight
from spl.config.methods import ExternalFill, Method, NetworkMethod, NotReleased, ReferenceRecipe, TrainedMethod
from spl.config.teachers import (
    Detection,
    MiniaturePretext,
    Shadows,
    Teacher,
)

# Data --------------------------------------------------------------------------------------------


class MiniatureImages(Strict):
    """Images of the embedded miniature world, drawn from the seed in the layout of the real archive."""

    kind: Literal["miniature"]
    scene: Literal["places2", "celeba", "paris"]
    train: Positive
    test: Positive
    shadows: Shadows = 0.0


class Registered(Strict):
    """A source of the registry, spl/config/sources.yaml: fetched where it can be, else supplied by a person."""

    kind: Literal["registered"]
    name: Name


class Supplied(Strict):
    """Files that a person puts into a folder of their own; the workflow only reads them."""

    kind: Literal["supplied"]
    path: FilePath = Field(description="A folder with images, or with .tar, .zip, .tar.gz archives of them.")
    citation: Annotated[str, UNCOUNTED] = Field(default="", description="Authors of the images; printed in the report.")


def _check_glob(glob: str) -> str:
    if not glob or glob.startswith("/"):
        raise ValueError(f"expected a pattern relative to the source's folder, such as **/*.jpg, got {glob!r}")
    for first, last in re.findall("(.)-(.)", "".join(re.findall(r"\[!?([^]/]+)\]", glob))):
        if first > last:
            raise ValueError(f"expected ranges from low to high, such as [a-z], got {first}-{last} in {glob!r}")
    return glob


class ArchiveLayout(Strict):
    """Layout of one of the paper's archives; the split comes with it."""

    kind: Literal["places365", "places365_flat", "celeba", "paris"]


Glob = Annotated[str, AfterValidator(_check_glob)]


class FolderLayout(Strict):
    """Any folder of images: a glob, and a split drawn from the seed."""

    kind: Literal["folder"]
    glob: Glob
    test_fraction: Annotated[float, Field(gt=0, lt=1)]


class FoldersLayout(Strict):
    """Training and test images in folders of their own: a glob each."""

    kind: Literal["folders"]
    train: Glob
    test: Glob


class ListsLayout(Strict):
    """Training and test images named in text files: one path a line, relative to the source's folder."""

    kind: Literal["lists"]
    train: str = Field(description="Text file, relative to the source's folder.")
    test: str


Layout = Annotated[ArchiveLayout | FolderLayout | FoldersLayout | ListsLayout, Field(discriminator="kind")]


ImageSource = Annotated[MiniatureImages | Registered | Supplied, Field(discriminator="kind")]

SCENE_LAYOUT = {"places2": "places365", "celeba": "celeba", "paris": "paris"}


class Dataset(Strict):
    """One image set: where it comes from, how it is laid out and prepared."""

    source: ImageSource
    layout: Layout
    crop: Positive | None = Field(description="Side of the centre crop in pixels, before resizing; null for none.")
    image_size: Annotated[
        int, Field(ge=32, le=4096, multiple_of=8, description="Side of the square network input in pixels.")
    ]
    validation: Annotated[int, Field(ge=0, description="Training images held out for validation, drawn from the seed.")]
    skip_unreadable: Annotated[
        int, Field(ge=0, description="How many unreadable training images may be left out; test images never are.")
    ]

    @model_validator(mode="after")
    def _layout_matches_scene(self) -> "Dataset":
        if isinstance(self.source, MiniatureImages) and self.layout.kind != SCENE_LAYOUT[self.source.scene]:
            raise ValueError(
                f"the miniature scene {self.source.scene!r} is drawn in the layout "
                f"{SCENE_LAYOUT[self.source.scene]!r}, not {self.layout.kind!r}"
            )
        return self


class MiniatureMasks(Strict):
    """Irregular masks drawn from the seed, equally many in each of the six ratio bins."""

    kind: Literal["miniature"]
    per_bin: Annotated[int, Field(gt=0, le=10_000_000, multiple_of=2, description="Half of them touch the border.")]


MaskSource = Annotated[MiniatureMasks | Registered | Supplied, Field(discriminator="kind")]


class Masks(Strict):
    """The irregular masks, used for training and evaluation as in the paper."""

    source: MaskSource
    glob: Glob
    hole: Literal["white", "black"] = Field(description="Declared polarity: the colour of missing pixels.")

    @model_validator(mode="after")
    def _drawn_masks_are_white(self) -> "Masks":
        if isinstance(self.source, MiniatureMasks) and self.hole != "white":
            raise ValueError("the miniature masks are drawn with white holes, so hole must be white")
        return self


# Perceptual losses and structure -----------------------------------------------------------------


class PerceptualTeacher(Strict):
    """Perceptual and style losses compare features of one of `teachers`: what is at hand offline."""

    kind: Literal["teacher"]
    teacher: Name


class PerceptualVGG(Strict):
    """Perceptual and style losses compare features of torchvision's ImageNet VGGs, as the papers do."""

    teacher: ClassVar[None] = None
    kind: Literal["vgg"]
    folder: Annotated[FilePath, UNCOUNTED, Field(description="Folder with vgg16-397923af.pth and vgg19-dcbb9e9d.pth.")]


PerceptualNetwork = Annotated[PerceptualTeacher | PerceptualVGG, Field(discriminator="kind")]


class Smoothing(Strict):
    """Relative total variation (Xu et al. 2012), for the structure images that MFE learns from."""

    strength: Annotated[float, Field(gt=0, description="Lambda of the paper.")]
    scale: Annotated[float, Field(gt=0, description="Sigma of the paper: the size of texture, in pixels.")]
    sharpness: Annotated[float, Field(gt=0, description="Epsilon_s of the paper.")]
    iterations: Size


# Evaluation --------------------------------------------------------------------------------------


class Bootstrap(Strict):
    """Percentile bootstrap over images."""

    samples: Annotated[int, Field(ge=100, le=1_000_000)]
    confidence: Annotated[float, Field(gt=0.5, lt=1)]
    least_images: Annotated[int, Field(ge=2, description="With fewer images there is no interval and no verdict.")]


PerceptualMetric = Literal["lpips", "fid", "kid"]


class Perceptual(Strict):
    """Metrics that compare features of networks; without the networks' weights they are not available."""

    metrics: tuple[PerceptualMetric, ...]
    folder: Annotated[
        FilePath,
        UNCOUNTED,
        Field(description="Folder with alexnet-owt-7be5be79.pth, lpips_alex.pth, pt_inception-2015-12-05-*.pth."),
    ]


class Evaluation(Strict):
    """The protocol: split, pairs of image and mask, batch, intervals, perceptual metrics."""

    metrics: ClassVar[int] = 1
    """Version of the metrics' values: raise it when one moves, and all images are measured again."""
    split: Literal["test", "validation"] = Field(description="validation: images held out of training, for tuning.")
    pairs: Literal["uniform", "balanced"] = Field(
        description="uniform: masks drawn from the whole set (paper section 4.3); balanced: equally from every bin."
    )
    masks_per_image: Positive = Field(
        description="1: as in the paper; 3 narrow the interval of the gap to its numbers, for 3 times the time."
    )
    batch_size: Size = Field(description="RN's statistics pool over this batch, so it is part of the protocol.")
    bootstrap: Bootstrap
    perceptual: Perceptual = Perceptual(metrics=(), folder="")


Margin = Annotated[float, Field(ge=0)]


class Differences(Strict):
    """A difference of every metric of Table 1."""

    psnr: Margin
    ssim: Margin
    mae: Margin


class Verdicts(Strict):
    """What a verdict on a claim, or on a gap to the paper's number, demands."""

    margins: Annotated[Differences, Field(description="By how much one may be worse that is at least as good.")]
    deltas: Annotated[Differences, Field(description="Within this gap the paper's number counts as reproduced.")]
    effort_factor: Annotated[
        float, Field(ge=1, description="Networks are not compared if one saw more than so many times as many images.")
    ]
    power: Annotated[float, Field(ge=0.5, lt=1, description="Of the images or trainings that an undecided one needs.")]


class Ablations(Strict):
    """Figure 4: variants of one method, run on one dataset only and left out of Table 1."""

    dataset: Name
    reference: Name
    methods: tuple[Name, ...] = Field(min_length=1)


LossWeight = Literal["lambda_img", "lambda_adv", "lambda_prior", "alpha", "delta"]
LossWeights = Annotated[tuple[Weight, ...], Field(min_length=1)]


class Grid(Strict):
    """Grid search (paper section 3.4): every point is a method of its own, compared on validation images.

    `points` is a list of blocks; a block lists values by loss weight and means all their combinations.
    """

    method: Name
    points: tuple[Annotated[dict[LossWeight, LossWeights], Field(min_length=1)], ...] = Field(min_length=1)


ImageMetric = Literal["ssim", "psnr", "mae", "mae_rgb", "ssim_gaussian", "psnr_hole", "mae_hole"]


class Study(Strict):
    """Contrasts of methods that were fixed before their runs, from means of single runs (docs/study.md)."""

    arms: dict[Name, Annotated[tuple[Name, ...], Field(min_length=1)]] = Field(
        description="By name: one method, or several that differ in the draw of their teacher."
    )
    contrasts: dict[Name, Annotated[tuple[tuple[Name, Name], ...], Field(min_length=1)]] = Field(
        description="By dataset: pairs of arms, of which the second is subtracted from the first."
    )
    metrics: Annotated[tuple[ImageMetric, ...], Field(min_length=1, description="The primary one first.")]
    mask_ratio: Literal["20-40", "40-60", "all"]

    def methods_of(self, dataset: str) -> tuple[str, ...]:
        """Return the methods of all arms that are contrasted on a dataset, each once."""
        arms = (arm for pair in self.contrasts[dataset] for arm in pair)
        return tuple(dict.fromkeys(method for arm in arms for method in self.arms[arm]))


# Figures -----------------------------------------------------------------------------------------


class Clusters(Strict):
    """k-means on semantic priors (paper section 4.5)."""

    number: Annotated[int, Field(ge=2, le=20)]
    scope: Literal["image", "set"] = Field(
        description="image: each image alone, as the authors do; set: one clustering for all kept images."
    )
    images: Positive = Field(description="Test images whose priors are kept, spread over the hole ratios.")


class Figure1(Strict):
    """One image, filled by several methods, with detections and one method's prior."""

    dataset: Name
    methods: tuple[Name, ...] = Field(min_length=1)
    prior: Name


class Figure2(Strict):
    """The architecture, drawn from a method's network."""

    dataset: Name
    method: Name


class Figure3(Strict):
    """Qualitative comparison: methods by row, images of several datasets by column, detections in the last."""

    methods: tuple[Name, ...] = Field(min_length=1)
    images: dict[Name, Positive] = Field(description="Number of images of each dataset.", min_length=1)
    detections: Name | None = Field(default=None, description="Dataset of the last column; null for none.")

    @property
    def detected(self) -> tuple[Name, ...]:
        """The dataset of the last column, if there is one."""
        return () if self.detections is None else (self.detections,)


class Figure5(Strict):
    """Semantic priors of one method beside the edges of another."""

    dataset: Name
    prior: Name
    edges: Name
    images: Positive


class Figures(Strict):
    """Contents of the figures; the test images that they show follow from a rule, never from a hand."""

    examples: Positive = Field(description="Rows per dataset in the example grid, spread over the hole ratios.")
    choice: Literal["median", "seeded"] = Field(
        description="median: those whose PSNR under the figure's last method is closest to the median; seeded: drawn."
    )
    min_hole_ratio: Annotated[float, Field(ge=0, lt=0.6, description="Least hole ratio of an image that may be shown.")]
    clusters: Clusters | None = None
    fig1: Figure1 | None = None
    fig2: Figure2 | None = None
    fig3: Figure3 | None = None
    fig5: Figure5 | None = None

    def shown(self) -> dict[str, "Shown"]:
        """Return what each figure shows that the experiment has and that is drawn from images."""
        one, three, five = self.fig1, self.fig3, self.fig5
        found = {}
        if one:
            cells = tuple((one.dataset, method) for method in one.methods)
            found["fig1"] = Shown(filled=cells, priors=((one.dataset, one.prior),), searched=cells)
        if three:
            datasets = dict.fromkeys([*three.images, *three.detected])
            cells = tuple((d, m) for d in datasets for m in three.methods)
            found["fig3"] = Shown(filled=cells, searched=tuple(cell for cell in cells if cell[0] in three.detected))
        if five:
            cells = ((five.dataset, five.edges), (five.dataset, five.prior))
            found["fig5"] = Shown(filled=cells, priors=cells)
        return found

    def priors(self) -> list[tuple[str, str]]:
        """Return dataset and method of every run whose priors or edges a figure shows."""
        return sorted({cell for shown in self.shown().values() for cell in shown.priors})


class Shown(NamedTuple):
    """Contents of a figure, by dataset and method."""

    filled: tuple[tuple[str, str], ...] = ()
    """Runs whose filled images are shown."""
    priors: tuple[tuple[str, str], ...] = ()
    """Runs whose semantic priors or edges are shown."""
    searched: tuple[tuple[str, str], ...] = ()
    """Runs in whose filled images objects are found, beside the uncorrupted ones."""


# The whole ---------------------------------------------------------------------------------------


class Run(NamedTuple):
    """One seed of a method on a dataset."""

    dataset: str
    method: str
    seed: int


class Design(Strict):
    """Datasets, methods and seeds: what every comparison depends on."""

    seed: Annotated[Seed, Field(description="Of data, masks, pairs, teachers and bootstraps.")]
    seeds: tuple[Seed, ...] = Field(description="Every network is trained once with each of these.", min_length=1)
    datasets: dict[Name, Dataset] = Field(min_length=1)
    methods: dict[Name, Method] = Field(min_length=1)
    ablations: Ablations | None = None
    grid: Grid | None = None
    left_out: Annotated[dict[str, str], UNCOUNTED] = Field(
        default_factory=dict,
        description="Why a dataset, or dataset/method, is left out; the workflow writes this itself, where files are "
        "missing.",
    )

    @property
    def network_methods(self) -> list[str]:
        """Names of the methods that have weights."""
        return [name for name, method in self.methods.items() if isinstance(method, NetworkMethod)]

    @property
    def table_methods(self) -> list[str]:
        """Names of the methods of Table 1, which are run on every dataset: all but the ablations, in order."""
        ablations = self.ablations.methods if self.ablations else ()
        return self.in_order(name for name in self.methods if name not in ablations)

    def apart(self, method: str) -> str:
        """Say why a method stands apart from the paper's, last and in no claim; nothing if it does not."""
        return getattr(self.methods.get(method), "apart", "")

    def in_order(self, methods: Iterable[str]) -> list[str]:
        """Put the methods that the paper does not have last."""
        return sorted(methods, key=lambda method: bool(self.apart(method)))

    def limit_of(self, method: str) -> int | None:
        """Return how many images of a dataset a method fills at most; None for all, or without such a method."""
        return getattr(self.methods.get(method), "images", None)

    @property
    def unlimited(self) -> list[str]:
        """Names of the methods of Table 1 that fill all images."""
        return [name for name in self.table_methods if self.limit_of(name) is None]

    def title_of(self, dataset: str) -> str:
        """Return the printed name of a dataset, present or not."""
        entry = self.datasets.get(dataset)
        return dataset_title(dataset, getattr(entry.source, "scene", None) if entry else None)

    def methods_of(self, dataset: str, methods: Iterable[str] | None = None) -> list[str]:
        """Return the methods that are run on a dataset, of all or of some."""
        is_ablated = self.ablations and self.ablations.dataset == dataset
        named = methods or (self.methods if is_ablated else self.table_methods)
        return [name for name in self.in_order(named) if not self.absent(dataset, name)]

    def absent(self, dataset: str, method: str) -> str:
        """Say why a method of Table 1 is not run on a dataset; nothing if it is."""
        recipe = self.methods.get(method)
        if isinstance(recipe, NetworkMethod):
            never_trained = isinstance(recipe, ReferenceRecipe) and dataset not in recipe.weights
            if never_trained or isinstance(recipe.weights.get(dataset), NotReleased):
                return "not released"
        if isinstance(recipe, ExternalFill) and dataset not in recipe.composited:
            return "no filled images"
        return self.left_out.get(dataset) or self.left_out.get(f"{dataset}/{method}", "")

    def seeds_of(self, dataset: str, method: str) -> tuple[int, ...]:
        """Return the seeds of a method on a dataset: all if it is trained, one where nothing is drawn."""
        recipe = self.methods[method]
        is_trained = isinstance(recipe, TrainedMethod) and dataset not in recipe.weights
        return self.seeds if is_trained else self.seeds[:1]

    def runs(self) -> Iterator[Run]:
        """Yield every run of the experiment."""
        for dataset in self.datasets:
            for method in self.methods_of(dataset):
                for seed in self.seeds_of(dataset, method):
                    yield Run(dataset, method, seed)


class Params(Design):
    """The whole experiment. A section that nothing uses may be null, or absent."""

    missing_files: Literal["stop", "leave_out"] = Field(
        default="stop",
        description="What becomes of a run whose released weights or images a person has to get and has not: its job "
        "fails, or it is left out of every table and figure, which say so.",
    )
    threads: Annotated[
        Size, Field(description="Of arithmetic on the CPU: another number gives other weights, a little.")
    ]
    masks: Masks
    pretext: MiniaturePretext | None = Field(default=None, description="The labelled set that teachers are trained on.")
    teachers: dict[Name, Teacher] = Field(default_factory=dict)
    perceptual_network: PerceptualNetwork | None = Field(
        default=None, description="The network of perceptual and style losses."
    )
    structure: Smoothing | None = None
    evaluation: Evaluation
    verdicts: Verdicts
    detection: Detection | None = None
    study: Study | None = None
    figures: Figures | None = None
