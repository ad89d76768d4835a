"""Golden vectors from PyTorch: `python torch_vectors.py` rewrites torch.json and torch.npz beside it.

torch.json is an array with one case per line:

    name    also the prefix of the case's arrays in torch.npz: <name>.x, .w, .b, .i, .y
    op      conv1d/2d, conv_transpose1d/2d, interpolate, pixel_shuffle, pixel_unshuffle, max_unpool2d, pad
    kwargs  the call's own arguments; a list has one entry per spatial axis, in the tensor's order, except
            pad's `pad`, which keeps F.pad's order (last axis first, before then after). An argument that was
            not given is absent. A convolution with `pads` ([[before, after], ..]) instead of `padding` had its
            input padded with zeros by F.pad first; x is stored without that padding.
    x w i y shapes: input, weight, indices (max_unpool2d, int64), output; tensors are N C spatial.., N = 1
    b       convolutions: is there a bias

Inputs are multiples of 1/16 in [-2, 2]. Outputs are computed in float64 and stored as float32, so those of the
convolutions are exact. The two nearest modes run in float32, as models do: torch picks the source index in the
precision of the tensor. For a scale_factor that is not exactly out / in, 2-d `nearest` ignores it when out is in
or 2 * in, but only if the tensor is channels-last or the output's two sides add up to at most 128; as torch has no
single answer there, no case asks for one.

The bytes depend on the seed and on the pinned requirements only (and, for the compression, on Python's zlib).
"""

import io
import json
import math
import random
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

SEED = "upconv golden 1"
HERE = Path(__file__).resolve().parent
MAX_ELEMENTS = 144  # of any tensor of a random convolution


def dyadic(rng, shape):
    values = [rng.randint(-32, 32) / 16 for _ in range(math.prod(shape))]
    return torch.tensor(values, dtype=torch.float64).reshape(shape)


# --- Convolutions ---------------------------------------------------------------------------------------------

def conv(size, cin, cout, k, s=1, p=0, d=1, g=1, op=None, bias=True):
    """One convolution call; a scalar stands for every axis of `size`. With `op` it is a transposed one."""
    def axes(v):
        return list(v) if isinstance(v, (list, tuple)) else [v] * len(size)

    k, p = axes(k), axes(p)
    kwargs = {"stride": axes(s), "dilation": axes(d), "groups": g}
    kwargs["pads" if isinstance(p[0], tuple) else "padding"] = [list(v) if isinstance(v, tuple) else v for v in p]
    if op is not None:
        kwargs["output_padding"] = axes(op)
    w = [cin, cout // g] if op is not None else [cout, cin // g]
    kind = "conv_transpose" if op is not None else "conv"
    return {"op": f"{kind}{len(size)}d", "kwargs": kwargs, "x": [1, cin, *size], "w": w + k, "b": bias}


def conv_out(case):
    """Output size per axis."""
    a, size, kernel = case["kwargs"], case["x"][2:], case["w"][2:]
    pads = a.get("pads") or [[p, p] for p in a["padding"]]
    if "output_padding" in a:
        return [(n - 1) * s - sum(p) + d * (k - 1) + o + 1 for n, k, s, p, d, o
                in zip(size, kernel, a["stride"], pads, a["dilation"], a["output_padding"])]
    return [(n + sum(p) - d * (k - 1) - 1) // s + 1 for n, k, s, p, d
            in zip(size, kernel, a["stride"], pads, a["dilation"])]


def random_conv(rng, dims, transposed, asymmetric=False):
    """A random legal call (about a third with the same arguments on every axis), then sizes that keep it small."""
    while True:
        square = rng.random() < 0.3

        def draw(f):
            return [f(0)] * dims if square else [f(i) for i in range(dims)]

        def padding(i):
            near, reach = k[i] // 2, d[i] * (k[i] - 1) + 1
            if asymmetric:
                return rng.randint(0, k[i]), rng.randint(0, k[i])
            return rng.choice([0, near, rng.randint(0, k[i]), rng.randint(k[i], reach)])

        k = draw(lambda i: rng.randint(1, 5))
        s = draw(lambda i: rng.randint(1, 4))
        d = draw(lambda i: rng.choice([1, 1, 2, 3]))
        p = draw(padding)
        op = draw(lambda i: rng.choice([0, rng.randint(0, max(s[i], d[i]) - 1)])) if transposed else None
        kind = rng.choice(["dense", "dense", "dense", "grouped", "depthwise"])
        bias = rng.random() < 0.6
        for _ in range(50):
            size = [rng.randint(1, 7) for _ in range(dims)]
            if kind == "dense":
                g, cin, cout = 1, rng.randint(1, 6), rng.randint(1, 6)
            elif kind == "grouped":
                g = rng.choice([2, 2, 3])
                cin, cout = g * rng.randint(1, 6 // g), g * rng.randint(1, 6 // g)
            else:
                g = rng.randint(2, 6)
                cin, cout = g, g * rng.randint(1, 6 // g)
            case = conv(size, cin, cout, k, s, p, d, g, op, bias)
            out = conv_out(case)
            if min(out) < 1 or max(math.prod(v) for v in (case["x"], case["w"], [cout, *out])) > MAX_ELEMENTS:
                continue
            taps = call_conv(case, torch.ones(case["x"]), torch.ones(case["w"]), None)
            if taps.count_nonzero() >= taps.numel() / 4:  # else too much of the output is bias alone
                return case


def conv_transpose_cases(rng):
    chosen = [
        # the usual up-convolutions
        conv([3, 4], 3, 2, 2, 2, op=0), conv([3, 3], 2, 3, 4, 2, 1, op=0), conv([3, 2], 2, 2, 3, 2, 1, op=1),
        conv([2, 3], 2, 2, 3, 3, op=0), conv([2, 2], 2, 1, 4, 4, op=0, bias=False),
        conv([3, 3], 1, 1, 5, 2, 2, op=1),
        # stride 1: a convolution with the kernel turned round
        conv([4, 5], 2, 3, 3, 1, 1, op=0), conv([5, 4], 3, 2, 1, op=0, bias=False),
        conv([3, 5], 2, 2, [1, 5], 1, [0, 2], op=0),
        # stride > kernel: some phases have no taps and write the bias alone
        conv([3, 2], 2, 3, 1, 3, op=0), conv([3, 3], 2, 2, 2, 4, op=0), conv([2, 3], 1, 2, 1, [4, 2], op=[3, 1]),
        conv([2, 2], 3, 2, 2, 3, 0, op=2, bias=False), conv([3, 2], 2, 2, 1, 4, 2, op=3),
        # padding >= kernel: more than the border is cut off
        conv([5, 5], 2, 2, 2, 2, 2, op=0), conv([6, 7], 2, 1, 2, 1, 2, op=0), conv([5, 4], 1, 2, 3, 2, 3, op=1),
        conv([7, 6], 2, 2, 1, 1, 2, op=0), conv([4, 5], 2, 2, 1, 3, 3, op=2),
        conv([6, 5], 1, 1, 3, 2, [4, 5], op=[0, 1]),
        # dilation, with common divisors of stride and dilation (again phases without taps)
        conv([3, 3], 2, 2, 3, 2, 2, 2, op=1), conv([3, 2], 1, 2, 2, 3, 0, 3, op=2),
        conv([2, 3], 2, 2, 3, 4, 1, 2, op=3),
        conv([3, 3], 2, 2, 2, 2, 1, 3, op=0), conv([2, 3], 1, 1, 4, [2, 3], [3, 0], [2, 3], op=[1, 0]),
        # output_padding up to max(stride, dilation) - 1, on either account
        conv([3, 3], 2, 2, 2, 1, 0, 3, op=2), conv([2, 3], 2, 1, 2, 4, 1, 1, op=3),
        conv([3, 3], 1, 2, 3, [1, 3], 1, [2, 1], op=[1, 2]),
        # groups
        conv([3, 3], 4, 4, 3, 2, 1, g=2, op=1), conv([3, 2], 4, 2, 2, 2, g=2, op=0),
        conv([2, 3], 2, 6, 2, 2, g=2, op=0, bias=False),
        conv([3, 3], 4, 4, 4, 2, 1, g=4, op=0), conv([2, 3], 3, 6, 3, 2, 1, g=3, op=1),
        conv([2, 2], 2, 6, 2, 3, 0, 2, g=2, op=0, bias=False),
        # a single row, column or pixel
        conv([1, 1], 3, 2, 3, 2, 1, op=1), conv([1, 1], 1, 1, 1, op=0), conv([1, 6], 2, 2, 4, 2, 1, op=0),
        conv([6, 1], 2, 2, 4, 2, 1, op=0),
        conv([1, 5], 3, 1, [3, 2], [1, 2], [1, 0], op=0), conv([7, 1], 1, 3, [2, 3], [2, 4], [0, 1], op=[1, 2]),
        conv([1, 1], 2, 2, 5, 4, 2, op=3),
        # one output
        conv([1, 1], 3, 3, 3, 1, 1, op=0), conv([3, 3], 2, 2, 1, 1, 1, op=0),
    ]
    chosen += [random_conv(rng, 2, True) for _ in range(140 - len(chosen))]
    one = [
        conv([5], 2, 3, 4, 2, 1, op=0), conv([4], 3, 2, 3, 3, 0, op=2), conv([6], 2, 2, 2, 1, 2, op=0),
        conv([3], 4, 4, 5, 4, 2, g=4, op=3),
        conv([3], 2, 2, 1, 4, op=1), conv([4], 2, 4, 3, 2, 1, 2, g=2, op=1),
        conv([1], 3, 2, 3, 2, 1, op=0, bias=False),
    ]
    return chosen + one + [random_conv(rng, 1, True) for _ in range(25 - len(one))]


def conv_cases(rng):
    chosen = [
        conv([5, 5], 3, 4, 3, 1, 1), conv([6, 5], 2, 3, 3, 2, 1), conv([4, 5], 4, 3, 1),
        conv([5, 4], 3, 5, 1, 2, bias=False),
        conv([7, 7], 1, 2, 5, 1, 2), conv([6, 6], 2, 3, 2, 2), conv([5, 7], 2, 2, [1, 3], 1, [0, 1]),
        conv([7, 3], 2, 2, [5, 1], [2, 1], [2, 0]),
        # stride > kernel
        conv([7, 7], 2, 2, 1, 3), conv([6, 7], 1, 3, 2, [4, 3]),
        # padding >= kernel: whole outputs are the bias
        conv([3, 3], 2, 2, 1, 1, 2), conv([3, 4], 2, 2, 2, 1, 2, bias=False), conv([2, 3], 1, 2, 3, 2, 4),
        conv([1, 1], 2, 2, 2, 1, 3), conv([2, 2], 2, 3, 1, 2, 3),
        # dilation
        conv([7, 7], 2, 2, 3, 1, 2, 2), conv([7, 7], 1, 2, 3, 2, 3, 3),
        conv([7, 6], 2, 1, [2, 3], [2, 1], 0, [3, 2]), conv([4, 4], 2, 2, 3, 1, 5, 3),
        # groups
        conv([5, 4], 4, 4, 3, 1, 1, g=2), conv([4, 4], 6, 2, 2, g=2, bias=False), conv([4, 4], 6, 6, 3, 2, 1, g=6),
        conv([3, 4], 3, 6, 3, 1, 1, g=3),
        # a single row, column or pixel
        conv([1, 7], 2, 2, 3, 1, 1), conv([7, 1], 2, 2, [3, 1], 2, [1, 0]), conv([1, 1], 4, 5, 1),
        conv([1, 1], 2, 2, 3, 1, 1), conv([5, 5], 2, 2, 5),
        # padding that differs before and after
        conv([5, 5], 2, 2, 2, 1, [(0, 1), (0, 1)]), conv([4, 5], 2, 2, 4, 1, [(1, 2), (1, 2)]),
        conv([6, 6], 2, 2, 3, 2, [(0, 1), (0, 1)]),
        conv([4, 4], 3, 2, 3, 1, [(2, 0), (0, 2)], bias=False), conv([3, 5], 2, 2, 1, 1, [(0, 2), (1, 0)]),
        conv([5, 5], 4, 4, 3, 2, [(1, 0), (3, 1)], 2, 4),
        conv([2, 3], 1, 2, 2, 3, [(3, 1), (0, 4)]),
    ]
    chosen += [random_conv(rng, 2, False, asymmetric=True) for _ in range(5)]
    chosen += [random_conv(rng, 2, False) for _ in range(80 - len(chosen))]
    one = [
        conv([7], 3, 4, 3, 1, 1), conv([6], 2, 2, 1, 1, 2), conv([7], 2, 2, 3, 1, [(4, 0)], 2),
        conv([7], 4, 8, 5, 2, 2, g=4, bias=False), conv([1], 2, 3, 2, 1, 1),
    ]
    return chosen + one + [random_conv(rng, 1, False) for _ in range(15 - len(one))]


def call_conv(case, x, w, b):
    kwargs = dict(case["kwargs"])
    pads = kwargs.pop("pads", [])
    return getattr(F, case["op"])(F.pad(x, [v for axis in reversed(pads) for v in axis]), w, b, **kwargs)


def run_conv(case, rng):
    x, w = dyadic(rng, case["x"]), dyadic(rng, case["w"])
    cout = case["w"][1] * case["kwargs"]["groups"] if "transpose" in case["op"] else case["w"][0]
    b = dyadic(rng, [cout]) if case["b"] else None
    return {"x": x, "w": w, "b": b, "y": call_conv(case, x, w, b)}


# --- Interpolation --------------------------------------------------------------------------------------------

def interpolate_cases():
    cases = []

    def add(mode, x, size=None, sf=None, ac=None, recompute=None):
        kwargs = {"mode": mode, "size": size, "scale_factor": sf, "align_corners": ac,
                  "recompute_scale_factor": recompute}
        kwargs = {k: v for k, v in kwargs.items() if v is not None}
        cases.append({"op": "interpolate", "kwargs": kwargs, "x": [1, *x]})

    for mode in "nearest", "nearest-exact":
        for x, sf in [([2, 3, 4], [2.0, 2.0]), ([1, 4, 3], [3.0, 3.0]), ([1, 2, 3], [4.0, 2.0]),
                      ([1, 3, 2], [1.0, 5.0])]:
            add(mode, x, sf=sf)
        for x, size in [([2, 3, 4], [5, 7]), ([2, 5, 7], [2, 3]), ([1, 4, 3], [1, 1]), ([2, 1, 1], [4, 3]),
                        ([1, 1, 5], [3, 8]), ([1, 6, 1], [4, 5]), ([1, 4, 6], [7, 4])]:
            add(mode, x, size=size)
        add(mode, [1, 3, 5], sf=[1.5, 0.7])
        add(mode, [1, 3, 5], sf=[1.5, 0.7], recompute=True)
        add(mode, [2, 5], sf=[2.0])
        add(mode, [2, 7], size=[4])
        add(mode, [1, 5], sf=[1.7], recompute=False)
        add(mode, [1, 5], sf=[1.7], recompute=True)
    add("nearest", [1, 3], sf=[2.2])  # out = 2 * in, but the step is 1 / 2.2: in one dimension torch always uses it
    # sizes at which rounding the step to float32 picks a neighbour of the exact source index
    add("nearest", [1, 26], size=[22])
    add("nearest", [1, 2, 2], size=[2, 82])
    add("nearest-exact", [1, 14], size=[23])
    add("nearest-exact", [1, 1, 26], size=[1, 11])

    for ac in False, True:
        for x, size in [([2, 4], [7]), ([2, 7], [4]), ([1, 5], [5]), ([1, 5], [1]), ([2, 1], [4]), ([1, 2], [9])]:
            add("linear", x, size=size, ac=ac)
        for sf in 2.0, 2.2, 0.6:
            add("linear", [1, 5], sf=[sf], ac=ac)
        add("linear", [1, 5], sf=[2.2], ac=ac, recompute=True)
        add("linear", [1, 5], sf=[1.15], ac=ac)  # out = in: a copy, whatever the scale_factor

    for mode in "bilinear", "bicubic":
        for ac in False, True:
            for x, size in [([2, 3, 4], [5, 7]), ([2, 5, 7], [3, 2]), ([1, 3, 5], [6, 2]), ([1, 4, 3], [1, 1]),
                            ([2, 1, 1], [3, 2]), ([1, 1, 4], [3, 9]), ([1, 5, 1], [8, 2]), ([1, 3, 3], [1, 6])]:
                add(mode, x, size=size, ac=ac)
            for x, sf in [([2, 3, 4], [2.0, 2.0]), ([1, 2, 3], [4.0, 4.0]), ([1, 3, 3], [3.0, 2.0]),
                          ([1, 6, 7], [0.5, 0.5]), ([1, 3, 4], [1.5, 2.6])]:
                add(mode, x, sf=sf, ac=ac)
            add(mode, [1, 3, 4], sf=[1.5, 2.6], ac=ac, recompute=True)
            add(mode, [1, 7, 5], sf=[0.4, 1.4], ac=ac, recompute=False)
            add(mode, [1, 3, 4], sf=[1.3, 2.2], ac=ac)  # out = in on one axis, 2 * in on the other

    for x, size in [([2, 6, 4], [3, 2]), ([1, 7, 5], [3, 2]), ([1, 3, 4], [5, 7]), ([2, 5, 3], [1, 1]),
                    ([1, 1, 1], [2, 3]), ([1, 1, 7], [1, 4]), ([1, 6, 1], [4, 2])]:
        add("area", x, size=size)
    add("area", [1, 5, 7], sf=[0.5, 0.7])
    add("area", [2, 7], size=[3])
    add("area", [1, 5], sf=[1.7])
    return cases


def run_interpolate(case, rng):
    kwargs = case["kwargs"]
    x = dyadic(rng, case["x"])
    y = F.interpolate(x.float() if kwargs["mode"].startswith("nearest") else x, **kwargs)
    if kwargs["mode"] == "nearest" and x.dim() == 4 and not kwargs.get("recompute_scale_factor"):
        for n, m, sf in zip(x.shape[2:], y.shape[2:], kwargs.get("scale_factor", [])):
            assert m == n * sf or m not in (n, 2 * n), f"torch has no single answer: {case}"
    return {"x": x, "y": y}


# --- The rest -------------------------------------------------------------------------------------------------

def shuffle_cases():
    shuffle = [([4, 3, 2], 2), ([8, 2, 3], 2), ([9, 2, 2], 3), ([16, 1, 2], 4), ([3, 2, 3], 1)]
    unshuffle = [([1, 6, 4], 2), ([2, 4, 6], 2), ([1, 3, 6], 3), ([2, 4, 4], 4)]
    calls = [("pixel_shuffle", *c) for c in shuffle] + [("pixel_unshuffle", *c) for c in unshuffle]
    return [{"op": op, "kwargs": {"factor": r}, "x": [1, *x]} for op, x, r in calls]


def run_shuffle(case, rng):
    x = dyadic(rng, case["x"])
    return {"x": x, "y": getattr(F, case["op"])(x, case["kwargs"]["factor"])}


def unpool_cases():
    """`pooled` is the shape whose max_pool2d makes the input; output_size is given where it cannot be inferred."""
    def case(pooled, k, s, p=(0, 0), size=False):
        kwargs = {"kernel_size": list(k), "stride": list(s), "padding": list(p)}
        if size:
            kwargs["output_size"] = pooled[1:]
        return {"op": "max_unpool2d", "kwargs": kwargs, "pooled": [1, *pooled]}

    return [
        case([2, 4, 6], (2, 2), (2, 2)), case([1, 6, 6], (3, 2), (3, 2)), case([2, 5, 7], (2, 2), (2, 2), size=True),
        case([1, 7, 5], (3, 3), (2, 2)),  # overlapping windows: an index may come twice, with the same value
        case([1, 6, 7], (3, 3), (2, 2), (1, 1), size=True), case([2, 1, 6], (1, 3), (1, 3)),
    ]


def run_unpool(case, rng):
    kwargs = case["kwargs"]
    window = kwargs["kernel_size"], kwargs["stride"], kwargs["padding"]
    x, i = F.max_pool2d(dyadic(rng, case["pooled"]), *window, return_indices=True)
    return {"x": x, "i": i, "y": F.max_unpool2d(x, i, **kwargs)}


def pad_cases():
    constant = [([2, 3, 4], [1, 2, 0, 3], 0.0), ([1, 2, 3], [2, 0, 1, 1], -1.5), ([1, 4, 5], [-1, 2, 1, -2], 0.25),
                ([2, 5], [3, 1], 1.0)]
    reflect = [([2, 3, 4], [3, 2, 1, 2]), ([1, 2, 5], [0, 4, 1, 0]), ([2, 4], [3, 3])]
    replicate = [([2, 3, 4], [1, 2, 3, 0]), ([1, 2, 2], [5, 3, 4, 6]), ([1, 1, 3], [1, 0, 2, 2]), ([2, 3], [4, 1])]
    calls = [(x, {"pad": pad, "mode": "constant", "value": value}) for x, pad, value in constant]
    calls += [(x, {"pad": pad, "mode": "reflect"}) for x, pad in reflect]
    calls += [(x, {"pad": pad, "mode": "replicate"}) for x, pad in replicate]
    return [{"op": "pad", "kwargs": kwargs, "x": [1, *x]} for x, kwargs in calls]


def run_pad(case, rng):
    x = dyadic(rng, case["x"])
    return {"x": x, "y": F.pad(x, **case["kwargs"])}


# --- Files ----------------------------------------------------------------------------------------------------

SHORT = {"conv1d": "c1", "conv2d": "c2", "conv_transpose1d": "ct1", "conv_transpose2d": "ct2", "interpolate": "ip",
         "pixel_shuffle": "ps", "pixel_unshuffle": "pu", "max_unpool2d": "mu2", "pad": "pd"}


def run(case, rng):
    op = case["op"]
    if op.startswith("conv"):
        return run_conv(case, rng)
    return {"interpolate": run_interpolate, "max_unpool2d": run_unpool, "pad": run_pad}.get(op, run_shuffle)(case, rng)


def write_npz(path, arrays):
    """np.savez_compressed with fixed time stamps."""
    with zipfile.ZipFile(path, "w") as z:
        for name, array in arrays.items():
            npy = io.BytesIO()
            np.lib.format.write_array(npy, array, version=(1, 0), allow_pickle=False)
            member = zipfile.ZipInfo(name + ".npy", date_time=(1980, 1, 1, 0, 0, 0))
            member.create_system = 3
            z.writestr(member, npy.getvalue(), zipfile.ZIP_DEFLATED, 9)


def traits(case):
    """What the summary counts."""
    a = case["kwargs"]
    if case["op"] == "interpolate":
        return [a["mode"] + {True: " align_corners", False: "", None: ""}[a.get("align_corners")]]
    if not case["op"].startswith("conv"):
        return []
    axes = list(zip(case["w"][2:], a["stride"], a["dilation"], a.get("padding") or [max(p) for p in a["pads"]]))
    found = {
        "stride > kernel": any(s > k for k, s, _, _ in axes),
        "padding >= kernel": any(p >= k for k, _, _, p in axes),
        "dilation": any(d > 1 for _, _, d, _ in axes),
        "gcd(stride, dilation) > 1": any(math.gcd(s, d) > 1 for _, s, d, _ in axes),
        "groups": a["groups"] > 1,
        "output_padding": any(a.get("output_padding", [])),
        "pads": "pads" in a,
        "no bias": not case["b"],
        "size 1": 1 in case["x"][2:],
    }
    return [name for name, is_so in found.items() if is_so]


def main():
    torch.set_num_threads(1)
    rng = random.Random(SEED)
    specs = (conv_transpose_cases(rng) + conv_cases(rng) + interpolate_cases()
             + shuffle_cases() + unpool_cases() + pad_cases())
    cases, arrays, counts, counted, seen = [], {}, Counter(), {}, set()
    for spec in specs:
        op = spec["op"]
        key = json.dumps(spec)
        assert key not in seen, f"twice the same case: {key}"
        seen.add(key)
        name = f"{SHORT[op]}_{counts[op]:03}"
        counts[op] += 1
        counted.setdefault(op, Counter()).update(traits(spec))
        case = {"name": name, "op": op, "kwargs": spec["kwargs"]}
        for key, value in run(spec, random.Random(f"{SEED} {name}")).items():
            if value is None:
                continue
            array = value.numpy()
            if key != "i":
                array = array.astype(np.float32)
                assert np.isfinite(array).all() and np.abs(array).max() < 100
            arrays[f"{name}.{key}"] = np.ascontiguousarray(array)
            if key != "b":
                case[key] = list(array.shape)
        if "b" in spec:
            case["b"] = spec["b"]
        cases.append(case)

    lines = ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases)
    (HERE / "torch.json").write_text(f"[\n{lines}\n]\n", newline="\n")
    write_npz(HERE / "torch.npz", arrays)

    for op, n in counts.items():
        print(f"{n:4} {op:17}", ", ".join(f"{t}: {c}" for t, c in counted[op].items()))
    sizes = ", ".join(f"{f} {(HERE / f).stat().st_size} bytes" for f in ("torch.json", "torch.npz"))
    print(f"{len(cases):4} cases, {len(arrays)} arrays, {sizes}")


if __name__ == "__main__":
    main()
