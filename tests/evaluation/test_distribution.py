"""FID and KID agree with a matrix root and with loops; Inception is read from the published file only."""

from io import BytesIO

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_fidelity import FeatureExtractorInceptionV3

from spl.common.errors import CheckpointError
from spl.evaluation import distribution
from spl.evaluation.distribution import fid, kid, load_inception
from spl.sources.metric_weights import INCEPTION, too_few

CPU = torch.device("cpu")


def features(seed, count=300, dimensions=16, *, shift=0.0):
    """Correlated, skewed features, as behind a ReLU."""
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(99).normal(size=(dimensions, dimensions))
    return torch.from_numpy(rng.normal(shift, 1, (count, dimensions)) @ mixing).relu().float()


def mmd_by_loops(x, y):
    """Estimate the squared maximum mean discrepancy without bias under the kernel (x.y / d + 1)^3."""

    def kernel(a, b):
        return (float(np.dot(a, b)) / len(a) + 1) ** 3

    within = [np.mean([kernel(a, b) for i, a in enumerate(z) for j, b in enumerate(z) if i != j]) for z in (x, y)]
    return sum(within) - 2 * np.mean([kernel(a, b) for a in x for b in y])


# --- FID --------------------------------------------------------------------------------------------------------------


@given(seed=st.integers(0, 1000), count=st.integers(40, 300), shift=st.floats(-1, 1))
def test_fid_is_the_frechet_distance_by_the_root_of_a_matrix(seed, count, shift):
    ours, truth = features(seed, count, shift=shift).double(), features(seed + 1).double()
    covariances = np.cov(ours, rowvar=False), np.cov(truth, rowvar=False)
    overlap = np.trace(scipy.linalg.sqrtm(covariances[0] @ covariances[1]).real)
    expected = ((ours.mean(0) - truth.mean(0)) ** 2).sum() + sum(map(np.trace, covariances)) - 2 * overlap
    assert fid(ours, truth) == pytest.approx(float(expected), rel=1e-5, abs=1e-5)
    assert fid(ours, truth) == pytest.approx(fid(truth, ours), rel=1e-7, abs=1e-7)


# --- KID --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shift", [0, 0.5])
def test_kid_of_up_to_1000_images_is_one_estimate(shift):
    ours, truth = features(0, 60, 4, shift=shift), features(1, 60, 4)
    assert kid(ours, truth, seed=1) == (pytest.approx(mmd_by_loops(ours, truth), rel=1e-5), None)


def test_kid_of_more_images_is_the_mean_over_subsets_and_follows_its_seed(monkeypatch):
    monkeypatch.setattr(distribution, "SUBSET_SIZE", 30)
    ours, truth = features(0, 45, 4, shift=0.2), features(1, 45, 4)
    mean, sd = kid(ours, truth, seed=1)
    rng = np.random.default_rng(1)
    subsets = [(ours[rng.permutation(45)[:30]], truth[rng.permutation(45)[:30]]) for _ in range(40)]
    estimates = [mmd_by_loops(*subset) for subset in subsets]
    assert mean == pytest.approx(np.mean(estimates), abs=0.6 * sd)  # a mean over 40 has a sixth of their deviation
    assert sd == pytest.approx(np.std(estimates), rel=0.4)
    assert kid(ours, truth, seed=1) == (mean, sd)
    assert kid(ours, truth, seed=2) != (mean, sd)


def test_the_least_numbers_of_images():
    assert [bool(too_few("fid", count)) for count in (2047, 2048)] == [True, False]
    assert [bool(too_few("kid", count)) for count in (49, 50)] == [True, False]


# --- Inception --------------------------------------------------------------------------------------------------------


class RandomInception(FeatureExtractorInceptionV3):
    """torch-fidelity's network before it is filled."""

    def load_state_dict(self, state):
        pass


@pytest.fixture(scope="module")
def random_inception():
    nothing = BytesIO()
    torch.save({}, nothing)
    nothing.seek(0)
    torch.manual_seed(0)
    return RandomInception("random", ["2048"], feature_extractor_weights_path=nothing)


@pytest.fixture(scope="module")
def inception_folder(random_inception, tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    state = random_inception.state_dict()
    published = {key: x for key, x in state.items() if not key.endswith("num_batches_tracked")}  # older than those
    torch.save(published, folder / INCEPTION.names[0])
    return folder


def test_features_are_torch_fidelitys_read_from_the_file(random_inception, inception_folder, accept):
    accept(inception_folder, INCEPTION=INCEPTION)
    image = torch.randint(256, (2, 3, 40, 40), generator=torch.Generator().manual_seed(0)).byte()
    found = load_inception(inception_folder, CPU)(image)
    assert found.shape == (2, 2048)
    torch.testing.assert_close(found, random_inception(image)[0], rtol=1e-5, atol=0)
    assert (found[0] != found[1]).any()


def test_a_missing_file_is_named_and_nothing_is_downloaded(tmp_path, monkeypatch):
    monkeypatch.setattr("torch_fidelity.feature_extractor_inceptionv3.load_state_dict_from_url", pytest.fail)
    with pytest.raises(CheckpointError, match=r"has no pt_inception-2015-12-05-6726825d\.pth or weights-inception"):
        load_inception(tmp_path, CPU)
