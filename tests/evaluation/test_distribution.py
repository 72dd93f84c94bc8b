"""FID and KID agree with torch-fidelity's functions, with closed forms and with loops."""

from io import BytesIO

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_fidelity import FeatureExtractorInceptionV3
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric

from spl.common.errors import CheckpointError, DataError
from spl.evaluation import distribution
from spl.evaluation.distribution import fid, frechet_distance, kid, load_inception, squared_mmd
from spl.sources.metric_weights import INCEPTION, too_few

CPU = torch.device("cpu")


def features(seed, count=300, dimensions=16, *, shift=0.0):
    """Correlated, skewed features, as behind a ReLU."""
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(99).normal(size=(dimensions, dimensions))
    return np.maximum(rng.normal(shift, 1, (count, dimensions)) @ mixing, 0).astype(np.float32)


# --- FID --------------------------------------------------------------------------------------------------------------


def their_fid(ours, truth):
    statistics = [fid_features_to_statistics(torch.from_numpy(x.astype(np.float64))) for x in (ours, truth)]
    return fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"]


@given(seed=st.integers(0, 1000), count=st.integers(16, 300), shift=st.floats(-1, 1))
def test_fid_agrees_with_torch_fidelity(seed, count, shift):
    ours, truth = features(seed, count, shift=shift), features(seed + 1)
    assert fid(ours, truth) == pytest.approx(their_fid(ours, truth), rel=1e-5, abs=1e-5)
    assert fid(ours, truth) == pytest.approx(fid(truth, ours), rel=1e-7, abs=1e-7)


def test_fid_of_equal_sets_is_zero():
    assert fid(features(0), features(0)) == pytest.approx(0, abs=1e-6)


@given(
    means=st.lists(st.floats(-3, 3), min_size=6, max_size=6),
    sds=st.lists(st.floats(0, 4), min_size=6, max_size=6),
    seed=st.integers(0, 100),
)
def test_gaussians_with_common_axes_have_a_closed_form(means, sds, seed):
    (m1, m2), (s1, s2) = np.array(means).reshape(2, 3), np.array(sds).reshape(2, 3)
    expected = ((m1 - m2) ** 2).sum() + ((s1 - s2) ** 2).sum()
    axes = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]
    gaussians = [(axes @ m, axes @ np.diag(s**2) @ axes.T) for m, s in ((m1, s1), (m2, s2))]
    assert frechet_distance(*gaussians[0], *gaussians[1]) == pytest.approx(expected, abs=1e-5)


def test_fid_of_fewer_images_than_features_is_refused():
    assert fid(features(0, 16), features(1, 16)) > 0
    for ours, truth in ((15, 16), (16, 15)):
        with pytest.raises(DataError, match="as many images as it has features, 16, got 15"):
            fid(features(0, ours), features(1, truth))


# --- KID --------------------------------------------------------------------------------------------------------------


def their_kid(ours, truth, size):
    found = kid_features_to_metric(
        torch.from_numpy(ours), torch.from_numpy(truth), kid_subset_size=size, kid_subsets=100, verbose=False
    )
    return found["kernel_inception_distance_mean"], found["kernel_inception_distance_std"]


def test_squared_mmd_by_loops():
    x, y = features(0, 5, 4), features(1, 6, 4, shift=0.5)

    def kernel(a, b):
        return (float(np.dot(a, b)) / 4 + 1) ** 3

    within_x = np.mean([kernel(a, b) for i, a in enumerate(x) for j, b in enumerate(x) if i != j])
    within_y = np.mean([kernel(a, b) for i, a in enumerate(y) for j, b in enumerate(y) if i != j])
    between = np.mean([kernel(a, b) for a in x for b in y])
    assert squared_mmd(x, y) == pytest.approx(within_x + within_y - 2 * between, rel=1e-5)


@pytest.mark.parametrize("shift", [0, 0.5])
def test_kid_of_up_to_1000_images_is_one_estimate(shift):
    ours, truth = features(0, 80, shift=shift), features(1, 80)
    found = kid(ours, truth, seed=1)
    mean, sd = their_kid(ours, truth, 80)
    assert found.mean == pytest.approx(mean, rel=1e-3)
    assert found.sd is None
    assert sd == pytest.approx(0, abs=1e-3 * abs(mean))  # rounding: every subset is the whole


def test_kid_of_more_images_is_the_mean_over_subsets(monkeypatch):
    monkeypatch.setattr(distribution, "SUBSET_SIZE", 100)
    ours, truth = features(0, 150, shift=0.2), features(1, 150)
    found = kid(ours, truth, seed=1)
    mean, sd = their_kid(ours, truth, 100)
    assert found.mean == pytest.approx(mean, abs=0.5 * sd)  # a mean over 100 others has a tenth of their deviation
    assert found.sd == pytest.approx(sd, rel=0.4)
    rng = np.random.default_rng(1)
    estimates = []
    for _ in range(100):
        x = ours[rng.permutation(150)[:100]]
        estimates.append(squared_mmd(x, truth[rng.permutation(150)[:100]]))
    assert found.mean == pytest.approx(np.mean(estimates), abs=0.5 * sd)


def test_kid_follows_its_seed(monkeypatch):
    monkeypatch.setattr(distribution, "SUBSET_SIZE", 60)
    ours, truth = features(0, 90), features(1, 90)
    assert kid(ours, truth, seed=1) == kid(ours, truth, seed=1)
    assert kid(ours, truth, seed=1) != kid(ours, truth, seed=2)


def test_kid_is_unbiased():
    estimates = [kid(features(2 * i, 50, 4), features(2 * i + 1, 50, 4), seed=0).mean for i in range(200)]
    assert abs(np.mean(estimates)) < 3 * np.std(estimates) / np.sqrt(len(estimates))
    assert min(estimates) < 0


def test_kid_of_fewer_than_50_images_is_refused():
    assert kid(features(0, 50), features(1, 50), seed=0).sd is None
    with pytest.raises(DataError, match="at least 50 images, got 49"):
        kid(features(0, 50), features(1, 49), seed=0)


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
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, random_inception(image)[0].numpy(), rtol=1e-5)
    assert np.abs(found[0] - found[1]).max() > 0


def test_another_file_under_the_name_is_refused(inception_folder):
    with pytest.raises(CheckpointError, match="expected the published file, whose sha256 starts with 6726825d"):
        load_inception(inception_folder, CPU)


def test_a_missing_file_is_named_and_nothing_is_downloaded(tmp_path, monkeypatch):
    monkeypatch.setattr("torch_fidelity.feature_extractor_inceptionv3.load_state_dict_from_url", pytest.fail)
    with pytest.raises(CheckpointError, match=r"has no pt_inception-2015-12-05-6726825d\.pth or weights-inception"):
        load_inception(tmp_path, CPU)
