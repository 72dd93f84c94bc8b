import subprocess
import sys

import torch

from spl.training.adam import Adam

WITHOUT_COMPILER = """
import sys, torch
from spl.training.adam import Adam
weight = torch.nn.Parameter(torch.ones(3))
optimizer = Adam([weight], lr=0.1, fused=True)
weight.sum().backward()
optimizer.step()
optimizer.zero_grad()
optimizer.load_state_dict(optimizer.state_dict())
print("torch._dynamo" in sys.modules)
"""


def test_steps_as_pytorchs_bit_for_bit():
    weights = []
    for kind in (torch.optim.Adam, Adam):
        torch.manual_seed(0)
        weight = torch.nn.Parameter(torch.randn(5, 5))
        optimizer = kind([weight], lr=0.1, betas=(0.5, 0.99), fused=True)
        for _ in range(5):
            optimizer.zero_grad()
            weight.pow(4).sum().backward()
            optimizer.step()
        weights.append((weight.detach(), optimizer.state_dict()["state"][0]["exp_avg_sq"]))
    assert torch.equal(weights[0][0], weights[1][0])
    assert torch.equal(weights[0][1], weights[1][1])


def test_does_not_import_the_compiler():
    done = subprocess.run([sys.executable, "-c", WITHOUT_COMPILER], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
