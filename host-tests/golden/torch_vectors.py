"""Golden vectors from PyTorch: `python torch_vectors.py` rewrites torch.json and torch.npz beside it.

With `--folders DIR` it writes the same cases as folders into DIR instead. How a case is described and how its output is
computed: write_case.py. How it lies on disk: write_case_files.py.

Inputs are multiples of 1/16 in [-2, 2], so the outputs of the convolutions are exact. For a scale_factor that is not
exactly out / in, 2-d `nearest` ignores it when out is in or 2 * in, but only if the tensor is channels-last or the
output's two sides add up to at most 128; as torch has no single answer there, no case asks for one.

The values depend on the seed and on the pinned requirements only.
"""

import argparse
import json
import math
import random
import sys
from collections import Counter
from pathlib import Path

try:
    import numpy as np
    import torch
    import torch.nn.functional as F
    from write_case import call, torch_case
    from write_case_files import write_folders, write_pair
except ImportError as missing:
    sys.exit(f"The package {missing.name} is missing: pip install -r requirements.txt")

SEED = "upconv golden 1"
HERE = Path(__file__).resolve().parent
MAX_ELEMENTS = 144  # of any tensor of a random convolution


def dyadic(rng, shape):
    values = [rng.randint(-32, 32) / 16 for _ in range(math.prod(shape))]
    return torch.tensor(values).reshape(shape)


def spec(op, x, w=None, bias=False, **kwargs):
    """A call: its arguments and the shapes of its tensors."""
    return {"op": op, "kwargs": kwargs, "x": list(x), "w": w and list(w), "b": bias}


# --- Convolutions ---------------------------------------------------------------------------------------------

def conv(size, cin, cout, k, s=1, p=0, d=1, g=1, op=None, bias=True, batch=(1,)):
    """One convolution call; a scalar stands for every axis of `size`. With `op` it is a transposed one."""
    def axes(v):
        return list(v) if isinstance(v, (list, tuple)) else [v] * len(size)

    k, p = axes(k), p if isinstance(p, str) else axes(p)
    kwargs = {"stride": axes(s), "dilation": axes(d), "groups": g}
    if isinstance(p[0], tuple):
        kwargs["pads"] = [list(v) for v in p]
    else:
        kwargs["padding"] = p
    if op is not None:
        kwargs["output_padding"] = axes(op)
    w = [cin, cout // g] if op is not None else [cout, cin // g]
    kind = "conv_transpose" if op is not None else "conv"
    return spec(f"{kind}{len(size)}d", [*batch, cin, *size], w + k, bias, **kwargs)


def conv_out(case):
    """Output size per axis of a call whose arguments are lists."""
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
            taps = call(case["op"], [torch.ones(case["x"]), torch.ones(case["w"]), None], case["kwargs"])
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


def more_conv_cases(rng):
    """The rest of the arguments: three axes, padding by name, scalars, defaults, no N axis or two of it."""
    same = [
        conv([5, 6], 2, 3, 3, p="same"), conv([4, 5], 2, 2, [2, 4], p="same"),  # an odd total pads one more after
        conv([6, 5], 2, 2, [3, 2], p="same", d=[2, 3]), conv([4, 4], 4, 4, 3, p="same", g=4),
        conv([3, 2], 3, 2, 5, p="same", bias=False), conv([7], 2, 3, 4, p="same", d=3), conv([6], 1, 2, 5, p="same"),
        conv([5, 4], 2, 2, 3, 2, "valid"),
    ]
    written_short = [
        spec("conv2d", [1, 2, 5, 4], [3, 2, 3, 3], True),
        spec("conv2d", [1, 2, 5, 4], [2, 2, 3, 3], stride=2, padding=1),
        spec("conv2d", [1, 4, 6, 5], [2, 2, 3, 3], True, dilation=2, padding=2, groups=2),
        spec("conv2d", [1, 1, 4, 4], [2, 1, 2, 2], True, padding="same"),
        spec("conv1d", [1, 3, 7], [2, 3, 3], True, stride=2),
        spec("conv_transpose2d", [1, 2, 3, 4], [2, 3, 2, 2], True),
        spec("conv_transpose2d", [1, 2, 3, 4], [2, 1, 3, 3], stride=2, padding=1, output_padding=1),
        spec("conv_transpose2d", [1, 4, 3, 2], [4, 1, 2, 3], True, stride=2, dilation=3, groups=4),
        spec("conv_transpose1d", [1, 2, 4], [2, 2, 5], True, stride=3, padding=1),
    ]
    batches = [
        conv([4, 3], 2, 3, 3, 1, 1, batch=(2,)), conv([5, 4], 4, 4, 3, 2, [(0, 1), (1, 0)], g=4, batch=(3,)),
        conv([6], 2, 3, 3, 2, 1, batch=(2,)), conv([4, 5], 2, 3, 3, 1, 1, batch=()),
        conv([5, 4], 2, 2, 2, p="same", batch=()), conv([7], 3, 2, 3, 2, batch=()),
        conv([3, 4], 2, 3, 4, 2, 1, op=0, batch=(2,)), conv([3, 3], 3, 3, 3, 2, 1, g=3, op=1, batch=(3,)),
        conv([4], 2, 3, 3, 2, 1, op=1, batch=(2,)), conv([3, 4], 2, 3, 2, 2, op=0, batch=()),
        conv([4], 2, 3, 4, 2, 1, op=0, batch=()),
    ]
    volumes = [
        conv([3, 4, 3], 2, 2, 3, 1, 1), conv([4, 3, 5], 1, 2, 2, 2),
        conv([4, 4, 4], 2, 2, [1, 2, 3], [1, 2, 1], [0, 1, 1], g=2),
        conv([5, 3, 4], 1, 2, [3, 1, 2], 1, [2, 0, 1], [2, 1, 2], bias=False),
        conv([3, 4, 2], 2, 2, [2, 3, 1], p="same"), conv([2, 3, 3], 1, 2, 2, 1, [(0, 1), (1, 0), (1, 1)]),
        conv([2, 3, 2], 2, 2, 2, batch=()),
        conv([2, 2, 3], 2, 2, 2, 2, op=0), conv([2, 3, 2], 1, 2, 4, 2, 1, op=0), conv([2, 2, 2], 2, 1, 3, 2, 1, op=1),
        conv([2, 3, 2], 2, 2, [1, 3, 2], [2, 1, 3], [0, 1, 0], g=2, op=[1, 0, 2]),
        conv([3, 2, 2], 1, 2, 2, 1, 1, [1, 2, 3], op=0, bias=False), conv([1, 2, 2], 2, 2, 2, 2, op=0, batch=()),
    ]
    volumes += [random_conv(rng, 3, transposed) for transposed in (False, True) for _ in range(3)]
    return same + written_short + batches + volumes


def tensors_of_conv(case, rng):
    x, w = dyadic(rng, case["x"]), dyadic(rng, case["w"])
    cout = case["w"][1] * case["kwargs"].get("groups", 1) if "transpose" in case["op"] else case["w"][0]
    return x, w, dyadic(rng, [cout]) if case["b"] else None


# --- Interpolation --------------------------------------------------------------------------------------------

def interpolate_cases():
    cases = []

    def add(mode, x, size=None, sf=None, ac=None, recompute=None, antialias=None, batch=1):
        kwargs = {"mode": mode, "size": size, "scale_factor": sf, "align_corners": ac,
                  "recompute_scale_factor": recompute, "antialias": antialias}
        cases.append(spec("interpolate", [batch, *x], **{k: v for k, v in kwargs.items() if v is not None}))

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

    # downscaling
    for mode, acs in ("nearest", [None]), ("nearest-exact", [None]), ("area", [None]), ("bicubic", [False, True]):
        for ac in acs:
            for x, size in [([2, 9, 8], [4, 3]), ([1, 8, 8], [2, 2]), ([1, 7, 10], [6, 7]), ([1, 3, 11], [2, 2])]:
                add(mode, x, size=size, ac=ac)
            add(mode, [1, 8, 8], sf=0.5, ac=ac)
            add(mode, [1, 8, 12], sf=[0.25, 0.25], ac=ac)
            add(mode, [1, 10, 9], sf=[0.3, 0.65], ac=ac)
            add(mode, [1, 10, 9], sf=[0.3, 0.65], ac=ac, recompute=True)

    # factors that are no integer, with the step taken from the factor or from the sizes
    for recompute in False, True:
        for mode, acs in ("nearest", [None]), ("nearest-exact", [None]), ("area", [None]), ("linear", [False, True]):
            for ac in acs:
                for sf in 2.6, 1.3, 0.6:
                    add(mode, [1, 7], sf=[sf], ac=ac, recompute=recompute)
        for mode, acs in (("nearest", [None]), ("nearest-exact", [None]), ("area", [None]), ("bilinear", [False, True]),
                          ("bicubic", [False, True])):
            for ac in acs:
                add(mode, [1, 5, 7], sf=[1.7, 0.6], ac=ac, recompute=recompute)
                add(mode, [1, 4, 5], sf=1.4, ac=ac, recompute=recompute)

    # arguments that are not given, scalars, two images
    cases.append(spec("interpolate", [1, 2, 3, 2], scale_factor=2))
    add("nearest", [2, 3], sf=3)
    add("nearest", [1, 2, 3], size=6)
    add("bilinear", [2, 3, 4], sf=2, batch=2)
    add("bilinear", [1, 3, 4], size=5)
    add("bicubic", [1, 3, 4], size=[7, 6], batch=2)
    add("linear", [2, 5], size=9, batch=2)
    add("area", [2, 4, 6], size=[2, 3], batch=2)

    for mode in "bilinear", "bicubic":  # antialias; its cubic has A = -0.5, not -0.75
        for x, size in [([1, 8, 7], [4, 3]), ([1, 5, 6], [3, 9]), ([1, 3, 4], [6, 7])]:
            add(mode, x, size=size, ac=False, antialias=True)
        add(mode, [1, 9, 9], size=[4, 4], ac=True, antialias=True)
        add(mode, [1, 9, 7], sf=[0.4, 0.6], ac=False, antialias=True)

    for mode in "nearest", "nearest-exact", "area":  # three axes
        add(mode, [1, 2, 3, 2], size=[4, 5, 3])
        add(mode, [1, 3, 4, 4], size=[2, 2, 3])
    for ac in False, True:
        add("trilinear", [1, 2, 3, 2], sf=[2.0, 2.0, 2.0], ac=ac)
        add("trilinear", [1, 3, 2, 4], size=[2, 3, 5], ac=ac)
    return cases


def tensors_of_interpolate(case, rng):
    kwargs, x = case["kwargs"], dyadic(rng, case["x"])
    sf = kwargs.get("scale_factor")
    if kwargs.get("mode", "nearest") == "nearest" and x.dim() == 4 and sf and not kwargs.get("recompute_scale_factor"):
        y = F.interpolate(x, **kwargs)
        for n, m, f in zip(x.shape[2:], y.shape[2:], sf if isinstance(sf, list) else [sf, sf]):
            assert m == n * f or m not in (n, 2 * n), f"torch has no single answer: {case}"
    return [x]


# --- The rest -------------------------------------------------------------------------------------------------

def shuffle_cases():
    shuffle = [([4, 3, 2], 2), ([8, 2, 3], 2), ([9, 2, 2], 3), ([16, 1, 2], 4), ([3, 2, 3], 1)]
    unshuffle = [([1, 6, 4], 2), ([2, 4, 6], 2), ([1, 3, 6], 3), ([2, 4, 4], 4)]
    return ([spec("pixel_shuffle", [1, *x], factor=r) for x, r in shuffle]
            + [spec("pixel_shuffle", [2, 8, 3, 2], factor=2), spec("pixel_shuffle", [8, 3, 2], factor=2)]
            + [spec("pixel_unshuffle", [1, *x], factor=r) for x, r in unshuffle]
            + [spec("pixel_unshuffle", [2, 1, 4, 6], factor=2), spec("pixel_unshuffle", [2, 4, 6], factor=2)])


def unpool_cases():
    """x is the shape whose max_pool makes the input; output_size is given where it cannot be inferred."""
    def case(x, k, s, p=(0, 0, 0), size=False):
        kwargs = {"kernel_size": list(k), "stride": list(s), "padding": list(p)[:len(k)]}
        if size:
            kwargs["output_size"] = x[-len(k):]
        return spec(f"max_unpool{len(k)}d", [1, *x], **kwargs)

    return [
        case([2, 4, 6], (2, 2), (2, 2)), case([1, 6, 6], (3, 2), (3, 2)), case([2, 5, 7], (2, 2), (2, 2), size=True),
        case([1, 7, 5], (3, 3), (2, 2)),  # overlapping windows: an index may come twice, with the same value
        case([1, 6, 7], (3, 3), (2, 2), (1, 1), size=True), case([2, 1, 6], (1, 3), (1, 3)),
        spec("max_unpool2d", [1, 2, 4, 4], kernel_size=2),
        spec("max_unpool2d", [2, 1, 5, 4], kernel_size=2, stride=2, output_size=[2, 1, 5, 4]),
        spec("max_unpool2d", [2, 6, 4], kernel_size=2, stride=2),
        case([2, 8], (2,), (2,)), case([1, 9], (3,), (3,)), case([2, 7], (2,), (2,), size=True),
        case([1, 9], (3,), (2,)), case([1, 8], (3,), (2,), (1,), size=True),
        spec("max_unpool1d", [2, 1, 6], kernel_size=2), spec("max_unpool1d", [3, 8], kernel_size=4),
        case([2, 2, 4, 4], (2, 2, 2), (2, 2, 2)), case([1, 3, 4, 5], (3, 2, 2), (3, 2, 2), size=True),
        spec("max_unpool3d", [1, 4, 2, 4], kernel_size=2),
    ]


def tensors_of_unpool(case, rng):
    kwargs = case["kwargs"]
    pool = getattr(F, case["op"].replace("unpool", "pool"))
    window = kwargs["kernel_size"], kwargs.get("stride"), kwargs.get("padding", 0)
    return pool(dyadic(rng, case["x"]), *window, return_indices=True)


def pad_cases():
    constant = [([2, 3, 4], [1, 2, 0, 3], 0.0), ([1, 2, 3], [2, 0, 1, 1], -1.5), ([1, 4, 5], [-1, 2, 1, -2], 0.25),
                ([2, 5], [3, 1], 1.0)]
    reflect = [([2, 3, 4], [3, 2, 1, 2]), ([1, 2, 5], [0, 4, 1, 0]), ([2, 4], [3, 3])]
    replicate = [([2, 3, 4], [1, 2, 3, 0]), ([1, 2, 2], [5, 3, 4, 6]), ([1, 1, 3], [1, 0, 2, 2]), ([2, 3], [4, 1])]
    cases = [spec("pad", [1, *x], pad=pad, mode="constant", value=value) for x, pad, value in constant]
    cases += [spec("pad", [1, *x], pad=pad, mode="reflect") for x, pad in reflect]
    cases += [spec("pad", [1, *x], pad=pad, mode="replicate") for x, pad in replicate]
    cases += [spec("pad", [1, 2, 2, 3], pad=[1, 0, 2, 1]), spec("pad", [1, 1, 3, 2], pad=[2, 1])]  # rows only
    for mode in "constant", "reflect", "replicate":
        cases += [spec("pad", [2, 2, 3, 3], pad=[1, 2, 2, 0], mode=mode),
                  spec("pad", [2, 3, 3], pad=[2, 1, 0, 2], mode=mode),
                  spec("pad", [1, 1, 2, 3, 3], pad=[1, 2, 0, 1, 1, 0], mode=mode)]
    return cases


# --- Files ----------------------------------------------------------------------------------------------------

SHORT = {"conv1d": "c1", "conv2d": "c2", "conv3d": "c3", "conv_transpose1d": "ct1", "conv_transpose2d": "ct2",
         "conv_transpose3d": "ct3", "interpolate": "ip", "pixel_shuffle": "ps", "pixel_unshuffle": "pu",
         "max_unpool1d": "mu1", "max_unpool2d": "mu2", "max_unpool3d": "mu3", "pad": "pd"}


def tensors_of(case, rng):
    op = case["op"]
    if op.startswith("conv"):
        return tensors_of_conv(case, rng)
    if op == "interpolate":
        return tensors_of_interpolate(case, rng)
    return tensors_of_unpool(case, rng) if "unpool" in op else [dyadic(rng, case["x"])]


def traits(case):
    """What the summary counts."""
    a, r = case["kwargs"], case["resolved"]
    found = {"unbatched": "unbatched" in r}
    if case["op"] == "interpolate":
        found |= {a.get("mode", "no mode"): True, "align_corners": a.get("align_corners"),
                  "antialias": a.get("antialias"),
                  f"recompute {a.get('recompute_scale_factor')}": "recompute_scale_factor" in a}
    elif case["op"].startswith("conv"):
        n = len(r["kernel"])
        s, d = (a[k] if isinstance(a.get(k), list) else [a.get(k, 1)] * n for k in ("stride", "dilation"))
        axes = list(zip(r["kernel"], s, d, r["pads"]))
        found |= {
            "stride > kernel": any(s > k for k, s, _, _ in axes),
            "padding >= kernel": any(max(p) >= k for k, _, _, p in axes),
            "dilation": any(d > 1 for _, _, d, _ in axes),
            "gcd(stride, dilation) > 1": any(math.gcd(s, d) > 1 for _, s, d, _ in axes),
            "groups": a.get("groups", 1) > 1,
            "output_padding": np.any(a.get("output_padding", 0)),
            "pads": "pads" in a,
            "same": a.get("padding") == "same",
            "no bias": case["inputs"][2] is None,
            "size 1": 1 in r["in_spatial"],
        }
    return [name for name, is_so in found.items() if is_so]


def cases():
    rng = random.Random(SEED)
    specs = (conv_transpose_cases(rng) + conv_cases(rng) + more_conv_cases(rng) + interpolate_cases()
             + shuffle_cases() + unpool_cases() + pad_cases())
    made, counts, seen = [], Counter(), set()
    for case in specs:
        key = json.dumps(case)
        assert key not in seen, f"twice the same case: {key}"
        seen.add(key)
        name = f"{SHORT[case['op']]}_{counts[case['op']]:03}"
        counts[case["op"]] += 1
        made.append(torch_case(name, case["op"], *tensors_of(case, random.Random(f"{SEED} {name}")), **case["kwargs"]))
        y = made[-1]["outputs"][0]["array"]
        assert np.isfinite(y).all() and np.abs(y).max() < 100
    return made


def main():
    arguments = argparse.ArgumentParser(description="Golden vectors from PyTorch.")
    arguments.add_argument("--folders", metavar="DIR", help="write case folders into DIR, not torch.json and torch.npz")
    folders = arguments.parse_args().folders
    torch.set_num_threads(1)
    made = cases()
    counted = {}
    for case in made:
        counted.setdefault(case["op"], Counter()).update(["", *traits(case)])
    for op, counts in counted.items():
        print(f"{counts.pop(''):4} {op:17}", ", ".join(f"{t}: {c}" for t, c in counts.items()))
    if folders:
        write_folders(folders, made)
    else:
        write_pair(HERE / "torch", made)


if __name__ == "__main__":
    main()
