import numpy as np
import torch

from spl.models.rfr import AreaIdentification, ConsistentAttention, Memory, PartialConv2d, build_rfr


def test_partial_convolution_is_its_formula():
    conv = PartialConv2d(2, 3, 3)
    x, valid = np.random.default_rng(0).normal(size=(2, 5, 5)), np.random.default_rng(1).random((5, 5)) < 0.3
    output, found = conv(torch.tensor(x * valid)[None].float(), 2 * torch.tensor(valid)[None, None].float())
    weight = conv.weight.detach().double().numpy()
    padded, padded_valid = np.pad(x * valid, ((0, 0), (1, 1), (1, 1))), np.pad(valid, 1)
    for i in range(5):
        for j in range(5):
            known = 2 * padded_valid[i : i + 3, j : j + 3].sum()
            total = (weight * padded[:, i : i + 3, j : j + 3]).sum((1, 2, 3))
            expected = total * 18 / known if known else np.zeros(3)
            np.testing.assert_allclose(output[0, :, i, j].detach().numpy(), expected, rtol=1e-4, atol=1e-6)
            assert found[0, 0, i, j] == (known > 0)


def test_every_round_shrinks_the_hole_until_it_is_closed(image, mask):
    identify, x, valid = AreaIdentification(3, 7), image, 1 - mask
    holes = [mask.sum().item()]
    for _ in range(4):
        x, valid = identify(x * valid, valid)
        holes.append((1 - valid).sum().item())
    assert holes == sorted(holes, reverse=True)
    assert holes[0] > holes[1] > 0
    assert holes[-1] == 0


def test_attention_is_its_formula():
    attention, x = ConsistentAttention(4), torch.randn(1, 4, 3, 3)
    _, memory = attention(x, torch.ones(1, 1, 3, 3), None)
    features = x[0].flatten(1).double().numpy()  # (C, N)
    keys = features / np.linalg.norm(features, axis=0)
    similarity = (keys.T @ features).reshape(9, 3, 3)
    padded = np.pad(similarity, ((0, 0), (1, 1), (1, 1)))
    sums = sum(padded[:, i : i + 3, j : j + 3] for i in range(3) for j in range(3))
    weights = np.exp(sums) / np.exp(sums).sum(0)
    np.testing.assert_allclose(memory.scores[0].numpy(), weights, rtol=1e-4, atol=1e-6)


def test_memory_counts_only_where_the_last_round_was_valid():
    attention, x = ConsistentAttention(4), torch.randn(1, 4, 2, 2)
    fresh = attention(x, torch.ones(1, 1, 2, 2), None)[1].scores
    earlier = torch.full((1, 4, 2, 2), 0.25)
    valid = torch.tensor([[1.0, 0.0], [0.0, 0.0]])[None, None]
    scores = attention(x, torch.ones(1, 1, 2, 2), Memory(earlier, valid))[1].scores
    torch.testing.assert_close(scores[..., 1, :], fresh[..., 1, :])
    torch.testing.assert_close(scores[..., 0, 0], (earlier + fresh)[..., 0, 0] / 2, rtol=1e-5, atol=1e-6)


def test_norms_inside_the_recurrence_see_every_round(image, mask):
    network = build_rfr(width=8, rounds=3).train()
    inputs = []
    network.identification.norm.register_forward_pre_hook(lambda m, i: inputs.append(i[0].detach()))
    network(image, mask)
    assert network.entry1_norm.num_batches_tracked == 1
    assert network.identification.norm.num_batches_tracked == len(inputs) == 3
    mean = torch.zeros(8)
    for x in inputs:
        mean = 0.9 * mean + 0.1 * x.mean((0, 2, 3))
    torch.testing.assert_close(network.identification.norm.running_mean, mean, rtol=1e-4, atol=1e-6)
