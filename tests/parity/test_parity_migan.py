"""MI-GAN's inference generator for 256 pixels."""

import torch

from spl.models.migan import build_migan, double
from spl.tensors.compositing import composite
from spl.weights.layouts import Layout


@torch.no_grad()
def test_image_and_every_level(fixture, record_outputs):
    generator = fixture.fill(build_migan().eval(), Layout.MIGAN, "generator")
    seen = record_outputs(
        enc256_feat=generator.encode["256"],
        syn8_conv1=generator.enlarge["8"],
        **{f"enc{r}": generator.shrink[str(r)] for r in (256, 128, 32, 4)},
        **{f"syn{r}": generator.decode[str(r)] for r in (4, 8, 64, 256)},
    )
    shown = record_outputs(**generator.to_rgb)
    generator.enlarge["8"].noise.register_forward_pre_hook(lambda m, i: seen.update(up8=i[0]))
    image, mask = fixture.image(), fixture.mask()
    output = generator(image, mask)
    raw = seen["rgb4"] = shown["4"]
    for r in generator.sizes[1:]:
        raw = double(raw) + shown[str(r)]
        if r == 32:
            seen["rgb32"] = raw
    # The fixture's images are in [-1, 1] and not clamped.
    fixture.check(seen | {"image": raw, "composite": composite(raw, 2 * image - 1, mask)})
    assert torch.equal(output, (raw / 2 + 0.5).clamp(0, 1))
