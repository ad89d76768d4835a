"""Writes a case folder from a PyTorch call; PyTorch itself computes the expected output.

    from write_case import write_case
    write_case("my_cases/up1", "conv_transpose2d", x, weight, bias, stride=2, padding=1)

The op is a function of torch.nn.functional: conv1d/2d/3d and conv_transpose1d/2d/3d (x, weight[, bias]), interpolate
(x), pixel_shuffle and pixel_unshuffle (x, factor=r), max_unpool1d/2d/3d (x, indices), pad (x). Tensors (PyTorch, NumPy
or nested lists) come by position, arguments by name, as PyTorch spells them. One argument is added: `pads` of a conv,
[[before, after], ..] with an entry for each spatial axis, in place of `padding`: zeros put around x by F.pad first.

Values are stored as float32. The output is computed from them in float64 and then rounded, except for the two nearest
modes of interpolate: they run in float32, as models do, since torch picks the source index in the tensor's precision.

`python write_case.py DIR` writes a few examples.
"""

import sys
import warnings
from pathlib import Path

try:
    import torch
    import torch.nn.functional as F
    from write_case_files import write_folder
except ImportError as missing:
    sys.exit(f"The package {missing.name} is missing: pip install -r requirements.txt")

warnings.filterwarnings("ignore", message="Using padding='same'")
COORD = {"nearest": "asymmetric", "nearest-exact": "half_pixel"}  # the others say it by align_corners


def spatial_axes(op, x, kwargs):
    """How many spatial axes a call has, and whether x lacks the N axis."""
    if op == "interpolate":
        n = x.dim() - 2
    elif op == "pad":
        n = len(kwargs["pad"]) // 2
    elif op in ("pixel_shuffle", "pixel_unshuffle"):
        n = 2
    elif op[:-2] in ("conv", "conv_transpose", "max_unpool") and op[-2:] in ("1d", "2d", "3d"):
        n = int(op[-2])
    else:
        raise ValueError(f"no op of the case format: {op}")
    if x.dim() < n + 1:
        raise ValueError(f"{op}: x of shape {list(x.shape)} lacks the channel axis")
    return n, x.dim() == n + 1


def call(op, tensors, kwargs):
    """The call, in the precision of its tensors."""
    kwargs = dict(kwargs)
    if op.startswith("pixel"):
        return getattr(F, op)(*tensors, kwargs["factor"])
    if "pads" in kwargs:
        x, *others = tensors
        tensors = [F.pad(x, [v for axis in reversed(kwargs.pop("pads")) for v in axis]), *others]
    return getattr(F, op)(*tensors, **kwargs)


def resolved(op, n, unbatched, kwargs, x, weight, y):
    """What follows from a call's arguments, with an entry per spatial axis; kept for the reader's convenience."""
    def axes(v):
        v = list(v) if isinstance(v, (list, tuple)) else [v]
        return v * n if len(v) == 1 else v

    known = {}
    if op.startswith("conv"):
        known["kernel"] = list(weight.shape[-n:])
        padding = kwargs.get("padding", 0)
        if "pads" in kwargs:
            known["pads"] = [list(p) for p in kwargs["pads"]]
        elif padding == "same":
            total = [d * (k - 1) for k, d in zip(known["kernel"], axes(kwargs.get("dilation", 1)))]
            known["pads"] = [[t // 2, t - t // 2] for t in total]
        else:
            known["pads"] = [[p, p] for p in axes(0 if padding == "valid" else padding)]
    elif op.startswith("max_unpool"):
        known["kernel"] = axes(kwargs["kernel_size"])
        known["pads"] = [[p, p] for p in axes(kwargs.get("padding", 0))]
    elif op == "pad":
        p = kwargs["pad"]
        known["pads"] = [[p[2 * i], p[2 * i + 1]] for i in reversed(range(n))]
    elif op == "interpolate" and kwargs.get("mode", "nearest") != "area":
        corners = "align_corners" if kwargs.get("align_corners") else "half_pixel"
        known["coord"] = COORD.get(kwargs.get("mode", "nearest"), corners)
    known |= {"in_spatial": list(x.shape[-n:]), "out_spatial": list(y.shape[-n:])}
    return known | ({"unbatched": True} if unbatched else {})


def torch_case(name, op, *tensors, **kwargs):
    """One call and its output as a case (see write_case_files)."""
    if any(isinstance(v, torch.Tensor) for v in kwargs.values()):
        raise TypeError("tensors come by position: x, weight, bias or x, indices")
    if "pads" in kwargs and ("padding" in kwargs or op not in ("conv1d", "conv2d", "conv3d")):
        raise TypeError("pads stands in place of the padding of conv1d, conv2d or conv3d")
    slots = ["x", "weight", "bias"] if op.startswith("conv") else ["x", "indices"] if "unpool" in op else ["x"]
    if len(tensors) > len(slots):
        raise TypeError(f"{op} takes {', '.join(slots)}")
    tensors = list(tensors) + [None] * (len(slots) - len(tensors))

    def stored(slot, v):
        dtype = torch.int64 if slot == "indices" else torch.float32
        return None if v is None else torch.as_tensor(v).detach().to(dtype)

    tensors = [stored(slot, v) for slot, v in zip(slots, tensors)]
    n, unbatched = spatial_axes(op, tensors[0], kwargs)
    nearest = op == "interpolate" and kwargs.get("mode", "nearest").startswith("nearest")
    exact = [v.double() if v is not None and v.is_floating_point() and not nearest else v for v in tensors]
    y = call(op, exact, kwargs).float()
    inputs = [None if v is None else {"slot": i, "name": slot, "array": v.numpy()}
              for i, (slot, v) in enumerate(zip(slots, tensors))]
    return {
        "name": name, "suite": "torch", "source": f"torch {torch.__version__.split('+')[0]}",
        "op": op, "kwargs": kwargs, "layout": "N C spatial..",
        "resolved": resolved(op, n, unbatched, kwargs, tensors[0], dict(zip(slots, tensors)).get("weight"), y),
        "inputs": inputs, "outputs": [{"slot": 0, "name": "y", "array": y.numpy()}],
    }


def write_case(folder, op, *tensors, **kwargs):
    """Writes the call and its output as a case folder; returns the output."""
    case = torch_case(Path(folder).name, op, *tensors, **kwargs)
    write_folder(folder, case)
    return case["outputs"][0]["array"]


def examples(parent):
    torch.manual_seed(0)
    x = torch.randn(1, 3, 6, 5)
    write_case(parent / "up_conv", "conv_transpose2d", x, torch.randn(3, 4, 3, 3), torch.randn(4),
               stride=2, padding=1, output_padding=1)
    write_case(parent / "depthwise", "conv2d", x, torch.randn(3, 1, 3, 3), padding="same", groups=3)
    write_case(parent / "one_sided", "conv1d", torch.randn(1, 2, 9), torch.randn(2, 2, 3), stride=2, pads=[[0, 1]])
    write_case(parent / "bilinear", "interpolate", x, scale_factor=2.0, mode="bilinear", align_corners=False)
    write_case(parent / "shuffle", "pixel_shuffle", torch.randn(1, 8, 3, 4), factor=2)
    pooled, indices = F.max_pool2d(x, 2, return_indices=True)
    write_case(parent / "unpool", "max_unpool2d", pooled, indices, kernel_size=2, output_size=[6, 5])
    write_case(parent / "reflect", "pad", x, pad=[1, 2, 0, 3], mode="reflect")


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit("usage: python write_case.py DIR")
    torch.set_num_threads(1)
    examples(Path(sys.argv[1]))
