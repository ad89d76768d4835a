"""Train, quantise and export the bigpicture model: a decoder of photographs, for a device too small to hold one.

What it makes   A decoder from 12 numbers to a 128x128 colour picture, by four transposed convolutions of kernel 4 and
                stride 2. Its widest tensor has 128x128x12 values, twelve times the RAM of the device that it is for.
                It knows four photographs by heart; their codes are learned with the weights.
From what       Four public-domain photographs; pip fetches them (in the package scikit-image, 14 MB) into `.cache/`.
How long        About five minutes on one CPU core; it tells how far it is.
Files           seed0/ (see ../README.md), images.u8, metrics.json.

    python models/train.py bigpicture
"""

import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import common

LATENT, SIDE, PEAK_RATE = 12, 128, 1e-2
PACKAGE = "scikit-image==0.26.0"
PHOTOGRAPHS = {  # path: sha256, the square that is taken (left, top, side)
    "skimage/data/astronaut.png": ("88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5", (64, 0, 320)),
    "skimage/data/chelsea.png": ("596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb", (110, 10, 270)),
    "skimage/data/coffee.png": ("cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7", (110, 0, 400)),
    "skimage/data/rocket.jpg": ("c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c", (107, 0, 427)),
}


def decoder():
    net = common.Network()
    net.conv_transpose(LATENT, 32, 8)  # one pixel to 8x8: a dense layer whose biases are those of the channels
    for c_in, c_out in ((32, 24), (24, 20), (20, 16), (16, 12)):
        net.grow("k4s2p1", c_in, c_out)
    net.conv(12, 3, 3, padding=1, activation=common.CLAMP)
    return net


def psnr(a, b):
    """Of the mean squared error over all pictures; 1 is white."""
    return float(-10 * torch.log10(((a.double() - b.double()) ** 2).mean()))


def train(images, steps, seed):
    """Decoder and codes together, all pictures in every step; returns both, every number of the codes in -1..1."""
    torch.manual_seed(seed)
    net, codes = decoder(), nn.Parameter(torch.randn(len(images), LATENT, 1, 1))
    optimiser = torch.optim.Adam([*net.parameters(), codes])
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, PEAK_RATE, total_steps=steps, pct_start=0.15)
    progress = common.Progress(f"seed {seed}", steps, ["squared error"])
    for i in range(steps):
        loss = ((net(torch.tanh(codes)) - images) ** 2).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        progress.step(i, loss.item())
    return net.eval().requires_grad_(False), torch.tanh(codes).detach()


def main():
    args = common.arguments(__file__, __doc__, seeds=1, steps=4000)
    folder = common.wheel(args.cache, PACKAGE, {path: sha256 for path, (sha256, _) in PHOTOGRAPHS.items()})
    images = []
    for path, (_, (left, top, side)) in PHOTOGRAPHS.items():
        square = Image.open(folder / path).convert("RGB").crop((left, top, left + side, top + side))
        images.append(np.array(square.resize((SIDE, SIDE), Image.Resampling.LANCZOS)))
    args.out.mkdir(parents=True, exist_ok=True)
    common.write(args.out / "images.u8", np.stack(images), "u1")
    images = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255
    rows = []
    for seed in range(args.seeds):
        model, codes = train(images, args.steps, seed)
        net = common.Quantised(model, codes)
        figures = {form: {"psnr": round(psnr(run(codes), images), 3)} for form, run in net.functions().items()}
        rows += [{"seed": seed, "decoder": "k4s2p1", "format": f, **v} for f, v in figures.items()]
        common.export(args.out, seed, {"k4s2p1": net}, codes, {"k4s2p1": figures})
        common.export_inputs(args.out / f"seed{seed}", net, codes)
    common.summary(args.out, rows, {"psnr": "PSNR, dB"})


if __name__ == "__main__":
    main()
