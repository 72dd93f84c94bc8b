"""Clusters as the authors make them; their colours, whatever the order of images, channels and clusters."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_hex

from spl.common.errors import DataError
from spl.config.experiment import Clusters
from spl.figures.clusters import _along_first_component, cluster_priors, paint, read_priors
from spl.figures.images import BORDER
from spl.figures.style import distinct_colours
from tests.fabricate import write_facts

KINDS = np.random.default_rng(5).normal(0, 4, (4, 6))
"""Centres of four kinds of positions, far from each other."""


def images(count=5, side=6, seed=0):
    """Return the true kind of every position (N, h, w) and priors (N, 6, h, w).

    The first four positions of every image are one of each kind.
    """
    rng = np.random.default_rng(seed)
    kinds = rng.integers(0, 4, (count, side, side))
    kinds[:, 0, :4] = np.arange(4)
    priors = KINDS[kinds] + rng.normal(0, 0.05, (count, side, side, 6))
    return kinds, np.moveaxis(priors, -1, 1).astype(np.float16)


def clusters(scope="set", number=4):
    return Clusters(number=number, scope=scope, images=5)


@pytest.mark.parametrize("scope", ["set", "image"])
def test_every_kind_has_one_colour_in_all_images(scope):
    kinds, priors = images()
    labels = cluster_priors(priors, [0, 1, 2, 3, 4], clusters(scope), seed=1)
    assert labels.shape == kinds.shape
    for kind in range(4):
        assert len(np.unique(labels[kinds == kind])) == 1
    assert len(np.unique(labels)) == 4


def test_clusters_are_numbered_along_the_first_principal_component():
    kinds, priors = images()
    labels = cluster_priors(priors, [0, 1, 2, 3, 4], clusters(), seed=1)
    points = np.moveaxis(priors, 1, -1).astype(float)
    points /= np.linalg.norm(points, axis=-1, keepdims=True)
    centres = np.stack([points[labels == label].mean(0) for label in range(4)])
    values, vectors = np.linalg.eigh(np.cov(centres.T))
    places = centres @ vectors[:, values.argmax()]
    assert (np.diff(places) > 0).all() or (np.diff(places) < 0).all()


@given(st.permutations(range(5)), st.sampled_from(["set", "image"]))
def test_the_order_of_the_images_does_not_matter(order, scope):
    priors = np.random.default_rng(2).normal(size=(5, 3, 4, 4)).astype(np.float16)  # nothing to find: ties are hard
    labels = cluster_priors(priors, list(range(5)), clusters(scope), seed=1)
    shuffled = cluster_priors(priors[list(order)], list(range(5)), clusters(scope), seed=1)
    np.testing.assert_array_equal(shuffled, labels[list(order)])


@given(st.permutations(range(4)))
def test_the_numbering_that_kmeans_happens_to_find_does_not_matter(order):
    shuffled = KINDS[list(order)]
    np.testing.assert_array_equal(shuffled[_along_first_component(shuffled)], KINDS[_along_first_component(KINDS)])


def test_an_image_alone_is_clustered_as_the_authors_program_does():
    """SPN_probabilistic/main.py: raw vectors, all positions, 10 attempts of 20 iterations from random centres."""
    priors = np.random.default_rng(3).normal(size=(2, 3, 8, 8)).astype(np.float16)
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 20, 0.5)
    for image, labels in zip(priors, cluster_priors(priors, [0, 1], clusters("image", 8), seed=1), strict=True):
        cv2.setRNGSeed(1)
        points = np.ascontiguousarray(image.reshape(3, -1).T.astype(np.float32))
        theirs = cv2.kmeans(points, 8, None, criteria, 10, cv2.KMEANS_RANDOM_CENTERS)[1].ravel()
        assert len(np.unique(theirs)) == 8
        assert len({*zip(labels.ravel(), theirs, strict=True)}) == 8  # the same clusters, numbered in another way


@pytest.mark.parametrize(("scope", "found"), [("image", 2), ("set", 1)])
def test_an_image_alone_is_divided_by_length_and_finely_the_set_by_direction_and_coarsely(scope, found):
    priors = np.zeros((4, 2, 8, 8), np.float16)
    priors[0, 0], priors[0, 1, :4], priors[0, 1, 4:] = 1.0, 0.1, -0.1  # two tones of a kind
    priors[1, 0], priors[1, 0, 4:] = 1.0, 4.0  # weak and strong
    priors[2:, 0] = -1.0  # another kind
    labels = cluster_priors(priors, [0, 1], clusters(scope, 2), seed=1)
    assert [len(np.unique(image)) for image in labels] == [found, found]


def test_each_cluster_is_painted_in_a_colour_of_its_own():
    painted = paint(np.arange(20).reshape(4, 5), 20)
    assert (painted.shape, painted.dtype) == ((4, 5, 3), np.uint8)
    assert len(np.unique(painted.reshape(-1, 3), axis=0)) == 20
    assert (np.ptp(painted, axis=-1) == 0).all()  # grey, as no class in a legend is
    assert not {BORDER, *map(to_hex, painted.reshape(-1, 3) / 255)} & {*distinct_colours(27)}


def test_priors_that_do_not_fit_their_record_is_refused(tmp_path):
    from safetensors.numpy import save_file

    path = tmp_path / "priors/paris/spl.safetensors"
    path.parent.mkdir(parents=True)
    save_file({"prior": np.zeros((2, 3, 4, 4), np.float16)}, path)
    write_facts(path.with_suffix(".json"), images=["test/0.png"])
    with pytest.raises(DataError, match="expected prior of 1 images"):
        read_priors(path, kind="prior")
    write_facts(path.with_suffix(".json"), images=["test/0.png", "test/1.png"])
    assert read_priors(path, kind="prior")[1].shape == (2, 3, 4, 4)
    with pytest.raises(DataError, match="expected edges of 2 images, got none"):
        read_priors(path, kind="edges")
