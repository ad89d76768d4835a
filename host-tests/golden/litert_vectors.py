"""Golden vectors from LiteRT's reference kernels: `python litert_vectors.py` rewrites litert.json and .npz beside it.

With `--folders DIR` it writes the same cases as folders into DIR instead. How a case lies on disk: write_case_files.py.

A case is one operator call: a model of that operator alone, run by the interpreter with its reference kernels.
XNNPACK and the optimised kernels round differently. Tensors are NHWC, N = 1.

    attrs    stride, dilation, kernel, pad_top_left, size: [height, width]; padding SAME or VALID; activation NONE,
             RELU, RELU6 or RELU_N1_TO_1; per_channel, bias: true or false; acc int32 or int64; groups (absent: 1);
             depth_multiplier, output_shape, block_size, axis, alpha, align_corners, half_pixel_centers
    inputs   role x, or by slot where an operator has several
    consts   role weights_ohwi (I is the group's own share), weights_1hwc, bias
    outputs  role y
    quant    scale, zero_point: one value, or one per slice of `axis`. A scale is a float32, written exactly

LiteRT is built with double rounding. What else its kernels do, or refuse:

    convolutions        `acc` of int16 is the model's quantized_bias_type. It decides the accumulator and how it is
                        scaled (int64 cuts the multiplier to 16 bits, int32 does not), and it is the bias's type.
                        CONV_2D must have a bias; with int16, DEPTHWISE_CONV_2D takes an int64 bias only.
    ADD, SUB            pot_scale_int16 is off here: int16 scales that are powers of two are nothing special.
    CONCATENATION       copies. For int8 all scales must agree; for int16 it would not look, but here they do.
    LOGISTIC, TANH      int16 outputs have scale 1/32768, int8 outputs of LOGISTIC 1/256.
    int8 only           DEPTH_TO_SPACE, SPACE_TO_DEPTH, HARD_SWISH

The bytes depend on the seed and on the pinned requirements only (and, for the compression, on Python's zlib).
"""

import argparse
import json
import math
import random
import sys
from collections import Counter
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

try:
    import flatbuffers
    import numpy as np
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.interpreter import Interpreter, OpResolverType
    from write_case_files import write_folders, write_pair
except ImportError as missing:
    sys.exit(f"The package {missing.name} is missing: pip install -r litert_requirements.txt")

SEED = "upconv litert 1"
HERE = Path(__file__).resolve().parent
SOURCE = f"ai-edge-litert {metadata.version('ai-edge-litert')}, reference kernels"
LIMITS = {"int8": (-128, 127), "int16": (-32768, 32767)}
HALF = {"int8": 128, "int16": 32768}
SHORT = {"int8": "i8", "int16": "i16"}
ACTIVATIONS = ["NONE", "RELU", "RELU6", "RELU_N1_TO_1"]


# --- One operator as a model ----------------------------------------------------------------------------------

@dataclass
class Tensor:
    """`kind` is input, const, output, or hidden: a constant operand that a case states in its attrs."""
    kind: str
    role: str | int | None  # an int is a slot
    dtype: str
    shape: list
    scale: list | None = None
    zero: list | None = None
    axis: int | None = None
    data: np.ndarray | None = None


def tensor(kind, role, dtype, values, shape=None, scale=None, zero=0, axis=None):
    """A tensor with values; `scale` is a number, or a list with one per slice of `axis`."""
    data = np.array(values, dtype=dtype)
    data = data.reshape(data.shape if shape is None else shape)
    if scale is not None:
        scale = [float(s) for s in np.atleast_1d(np.float32(scale))]
        zero = [zero] * len(scale)
    return Tensor(kind, role, dtype, list(data.shape), scale, zero, axis, data)


def output(dtype, shape, scale, zero=0):
    return Tensor("output", "y", dtype, list(shape), [float(np.float32(scale))], [zero])


OPS = {  # op: short name, version, table of options
    "TRANSPOSE_CONV": ("tconv", 5, "TransposeConvOptions"),
    "CONV_2D": ("conv", 8, "Conv2DOptions"),
    "DEPTHWISE_CONV_2D": ("dwconv", 6, "DepthwiseConv2DOptions"),
    "RESIZE_BILINEAR": ("bilinear", 4, "ResizeBilinearOptions"),
    "RESIZE_NEAREST_NEIGHBOR": ("nearest", 4, "ResizeNearestNeighborOptions"),
    "DEPTH_TO_SPACE": ("d2s", 1, "DepthToSpaceOptions"),
    "SPACE_TO_DEPTH": ("s2d", 2, "SpaceToDepthOptions"),
    "ADD": ("add", 5, "AddOptions"),
    "SUB": ("sub", 5, "SubOptions"),
    "MUL": ("mul", 7, "MulOptions"),
    "CONCATENATION": ("concat", 4, "ConcatenationOptions"),
    "LOGISTIC": ("logistic", 3, None),
    "TANH": ("tanh", 3, None),
    "HARD_SWISH": ("hswish", 1, "HardSwishOptions"),
    "LEAKY_RELU": ("leaky", 2, "LeakyReluOptions"),
    "QUANTIZE": ("quantize", 4, "QuantizeOptions"),
}
FIELDS = {  # attr: its fields in the options; () when the operands say it
    "stride": ["strideH", "strideW"], "dilation": ["dilationHFactor", "dilationWFactor"], "padding": ["padding"],
    "activation": ["fusedActivationFunction"], "acc": ["quantizedBiasType"], "depth_multiplier": ["depthMultiplier"],
    "align_corners": ["alignCorners"], "half_pixel_centers": ["halfPixelCenters"], "block_size": ["blockSize"],
    "axis": ["axis"], "alpha": ["alpha"],
    "kernel": (), "pad_top_left": (), "output_shape": (), "per_channel": (), "bias": (), "groups": (), "size": (),
}
ENUMS = {"padding": schema.Padding, "activation": schema.ActivationFunctionType, "acc": schema.TensorType}


def fill(table, **fields):
    for name, value in fields.items():
        assert hasattr(table, name), name
        setattr(table, name, value)
    return table


def options(op, attrs):
    """The options table of an operator."""
    name = OPS[op][2]
    table = getattr(schema, name + "T")()
    for attr, value in attrs.items():
        if attr in ENUMS:
            value = getattr(ENUMS[attr], value.upper())
        if not (op == "DEPTHWISE_CONV_2D" and attr == "acc"):  # it has no say in it
            fill(table, **dict(zip(FIELDS[attr], value if isinstance(value, list) else [value])))
    if op in ("ADD", "SUB"):
        fill(table, potScaleInt16=False)
    return {"builtinOptionsType": getattr(schema.BuiltinOptions, name), "builtinOptions": table}


def build(op, attrs, operands, result):
    """The .tflite file of one operator."""
    buffers = [schema.BufferT()]  # buffer 0 is the empty one
    tensors = []
    for number, t in enumerate([*operands, result]):
        table = fill(schema.TensorT(), name=f"t{number}", shape=t.shape, buffer=0,
                     type=getattr(schema.TensorType, t.dtype.upper()))
        if t.scale:
            table.quantization = fill(schema.QuantizationParametersT(), scale=t.scale, zeroPoint=t.zero,
                                      quantizedDimension=t.axis or 0)
        if t.kind in ("const", "hidden"):
            table.buffer = len(buffers)
            buffers.append(fill(schema.BufferT(), data=np.frombuffer(t.data.tobytes(), np.uint8)))
        tensors.append(table)
    last = len(operands)
    call = fill(schema.OperatorT(), opcodeIndex=0, inputs=list(range(last)), outputs=[last],
                **(options(op, attrs) if OPS[op][2] else {}))
    number = getattr(schema.BuiltinOperator, op)
    code = fill(schema.OperatorCodeT(), builtinCode=number, deprecatedBuiltinCode=min(number, 127), version=OPS[op][1])
    inputs = [i for i, t in enumerate(operands) if t.kind == "input"]
    graph = fill(schema.SubGraphT(), tensors=tensors, inputs=inputs, outputs=[last], operators=[call])
    model = fill(schema.ModelT(), version=3, operatorCodes=[code], subgraphs=[graph], buffers=buffers)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def evaluate(op, attrs, operands, result):
    """Runs the model on the reference kernels and gives `result` its values."""
    interpreter = Interpreter(model_content=build(op, attrs, operands, result), num_threads=1,
                              experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    interpreter.allocate_tensors()
    inputs = [t for t in operands if t.kind == "input"]
    for detail, t in zip(interpreter.get_input_details(), inputs, strict=True):
        interpreter.set_tensor(detail["index"], t.data)
    interpreter.invoke()
    # A delegate that had taken the operator over would be listed as DELEGATE.
    assert [d["op_name"] for d in interpreter._get_ops_details()] == [op], "not the built-in kernel"
    result.data = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    assert list(result.data.shape) == result.shape and result.data.dtype == result.dtype


# --- Drawing --------------------------------------------------------------------------------------------------

def uniform(rng, low, high, shape):
    return np.array([rng.randint(low, high) for _ in range(math.prod(shape))], dtype=np.int64).reshape(shape)


def log_uniform(rng, low, high):
    return low * (high / low) ** rng.random()


def power_of_two(x):
    return 2.0 ** round(math.log2(x))


def zero_point(rng, dtype, activation="NONE"):
    """int8: both extremes and points between, for an output with an activation those that leave it room."""
    if dtype == "int16":
        return 0
    if activation != "NONE":
        return rng.choice([-128, -128, -127, -90, -20, 3])
    return rng.choice([-128, -128, -127, -53, -1, 0, 0, 3, 71, 127, 127])


# --- Convolutions ---------------------------------------------------------------------------------------------

def pair(v):
    return list(v) if isinstance(v, (list, tuple)) else [v, v]


def window(n, k, s, d, padding):
    """Outputs along an axis of n, and the padding before it. A transposed convolution asks for its output's axis."""
    reach = (k - 1) * d + 1
    out = -(-n // s) if padding == "SAME" else (n + s - reach) // s
    return out, max((out - 1) * s + reach - n, 0) // 2


def tconv(x, cout, k, s, padding="SAME", out=None):
    """x: height, width, channels. `out` defaults to Keras's output size."""
    k, s = pair(k), pair(s)
    out = out or [n * a + (0 if padding == "SAME" else max(b - a, 0)) for n, a, b in zip(x, s, k)]
    return {"op": "TRANSPOSE_CONV", "x": list(x), "cout": cout, "k": k, "s": s, "padding": padding, "out": list(out)}


def conv(x, cout, k, s=1, padding="SAME", d=1, groups=1):
    return {"op": "CONV_2D", "x": list(x), "cout": cout, "k": pair(k), "s": pair(s), "d": pair(d), "padding": padding,
            "groups": groups}


def dwconv(x, m, k, s=1, padding="SAME", d=1):
    return {"op": "DEPTHWISE_CONV_2D", "x": list(x), "cout": x[2] * m, "k": pair(k), "s": pair(s), "d": pair(d),
            "padding": padding}


TCONVS = [
    # the usual up-convolutions
    tconv([3, 4, 3], 5, 2, 2), tconv([4, 3, 5], 4, 2, 2, "VALID"), tconv([4, 4, 3], 3, 3, 2),
    tconv([3, 4, 2], 4, 3, 2, "VALID"), tconv([3, 4, 4], 3, 4, 2), tconv([2, 3, 8], 9, 4, 2),
    tconv([3, 3, 3], 4, 4, 2, "VALID"), tconv([4, 3, 3], 4, 5, 2), tconv([2, 3, 2], 3, 5, 2, "VALID"),
    # stride 1: a convolution with the kernel turned round
    tconv([4, 5, 7], 8, 1, 1), tconv([4, 5, 3], 4, 3, 1), tconv([4, 3, 4], 3, 3, 1, "VALID"), tconv([5, 4, 2], 3, 2, 1),
    # kernel < stride: some outputs are the bias alone
    tconv([3, 3, 4], 3, 1, 2), tconv([3, 2, 3], 4, 1, 3, "VALID"), tconv([3, 2, 5], 3, 2, 3),
    tconv([2, 2, 3], 4, 2, 4, "VALID"), tconv([2, 3, 2], 2, 3, 4),
    # larger strides
    tconv([2, 2, 3], 3, 4, 4, "VALID"), tconv([3, 2, 3], 3, 4, 3), tconv([2, 2, 4], 3, 5, 4),
    tconv([2, 2, 3], 2, 5, 3, "VALID"),
    # axes that differ
    tconv([3, 4, 3], 3, [1, 5], [1, 2]), tconv([3, 5, 4], 3, [3, 2], [2, 1]),
    tconv([2, 5, 3], 3, [2, 5], [4, 1], "VALID"), tconv([3, 3, 3], 3, [5, 1], [3, 2]),
    # a single row, column or pixel
    tconv([1, 7, 4], 5, [1, 4], [1, 2]), tconv([1, 6, 3], 4, [1, 3], [1, 3], "VALID"),
    tconv([6, 1, 3], 4, [3, 1], [2, 1]), tconv([1, 1, 6], 5, 3, 2), tconv([1, 1, 4], 3, 5, 4, "VALID"),
    # output sizes that Keras does not choose
    tconv([3, 3, 3], 4, 3, 2, out=[5, 5]), tconv([3, 2, 3], 4, 4, 3, out=[7, 5]),
    tconv([3, 3, 2], 3, 2, 3, "VALID", out=[8, 10]), tconv([4, 4, 3], 2, 1, 2, "VALID", out=[7, 8]),
    # one channel
    tconv([4, 4, 1], 1, 4, 2), tconv([3, 4, 1], 6, 3, 2),
]
CONVS = [
    conv([4, 5, 7], 6, 1), conv([5, 4, 3], 5, 1, 2), conv([5, 5, 3], 4, 3), conv([5, 6, 3], 4, 3, 1, "VALID"),
    conv([6, 6, 3], 4, 3, 2), conv([7, 5, 2], 5, 3, 2), conv([7, 6, 2], 4, 3, 2, "VALID"), conv([5, 6, 2], 3, 5),
    conv([8, 7, 2], 3, 5, 3), conv([6, 4, 4], 4, 2, 2, "VALID"), conv([6, 5, 3], 3, 4, 2), conv([4, 4, 8], 9, 3),
    # stride > kernel
    conv([7, 6, 2], 4, 2, [3, 4]),
    # axes that differ
    conv([4, 6, 3], 4, [1, 3]), conv([6, 4, 3], 3, [3, 1], [2, 1]), conv([5, 8, 2], 3, [2, 5], [1, 3], "VALID"),
    # dilation
    conv([6, 6, 2], 3, 3, 1, "SAME", 2), conv([7, 7, 2], 3, 3, 1, "VALID", 3),
    conv([7, 5, 2], 4, [3, 2], 1, "SAME", [2, 3]), conv([7, 7, 2], 3, 3, 2, "SAME", 2),
    # groups
    conv([4, 5, 4], 6, 3, 1, "SAME", 1, 2), conv([4, 4, 6], 3, 2, 1, "VALID", 1, 3),
    conv([5, 4, 4], 8, 3, 2, "SAME", 1, 4),
    # a single row, column or pixel; a kernel larger than the image
    conv([1, 7, 3], 4, [1, 3]), conv([1, 1, 6], 5, 3), conv([6, 1, 2], 3, [3, 1], [2, 1]), conv([2, 3, 2], 3, 5),
]
DWCONVS = [
    dwconv([5, 5, 3], 1, 3), dwconv([5, 5, 4], 1, 3, 2), dwconv([6, 5, 3], 1, 3, 2, "VALID"), dwconv([4, 5, 2], 2, 3),
    dwconv([5, 4, 2], 3, 3, 2), dwconv([4, 4, 1], 3, 2, 1, "VALID"), dwconv([6, 6, 2], 1, 5), dwconv([4, 4, 5], 1, 1),
    dwconv([5, 4, 9], 1, 3, 1, "VALID"), dwconv([7, 7, 2], 1, 3, 1, "SAME", 2),
    dwconv([7, 6, 2], 2, 3, 1, "VALID", [3, 2]), dwconv([5, 6, 3], 1, [1, 4], [1, 3]),
    dwconv([1, 8, 3], 2, [1, 3], [1, 2]), dwconv([1, 1, 4], 2, 3), dwconv([6, 6, 2], 2, 4, 2),
]


def random_conv(rng, op):
    """A random geometry of moderate size."""
    while True:
        k, d = [rng.randint(1, 5) for _ in "hw"], [rng.choice([1, 1, 2]) for _ in "hw"]
        s = [rng.randint(1, 4 if op == "TRANSPOSE_CONV" else 3) for _ in "hw"]
        x, padding = [rng.randint(1, 6), rng.randint(1, 9), rng.randint(1, 8)], rng.choice(["SAME", "VALID"])
        if op == "TRANSPOSE_CONV":
            spec = tconv(x, rng.randint(1, 9), k, s, padding)
            out = spec["out"]
        else:
            spec = conv(x, rng.randint(1, 9), k, s, padding, d) if op == "CONV_2D" else \
                dwconv(x, rng.randint(1, 3), k, s, padding, d)
            out = [window(*v, padding)[0] for v in zip(x, k, s, d)]
        weights = math.prod(k) * spec["cout"] * (1 if op == "DEPTHWISE_CONV_2D" else x[2])
        if min(out) >= 1 and 24 <= math.prod(out) * spec["cout"] <= 300 and max(math.prod(x), weights) <= 200:
            return spec


def conv_specs(rng):
    """The chosen geometries in both types, then the styles of numbers on a few of them, then random ones."""
    styled = {
        "TRANSPOSE_CONV": [tconv([3, 3, 3], 4, 4, 2), tconv([3, 3, 2], 4, 3, 2), tconv([3, 4, 3], 4, 2, 2)],
        "CONV_2D": [conv([4, 4, 3], 4, 3), conv([3, 4, 6], 4, 1)],
        "DEPTHWISE_CONV_2D": [dwconv([4, 4, 3], 2, 3)],
    }
    for op, chosen, more in ("TRANSPOSE_CONV", TCONVS, 16), ("CONV_2D", CONVS, 16), ("DEPTHWISE_CONV_2D", DWCONVS, 8):
        accs = ["int64"] if op == "DEPTHWISE_CONV_2D" else ["int64", "int32"]
        specs = []
        for number, geometry in enumerate(chosen):
            activation = (["NONE", "NONE"] + ACTIVATIONS)[number % 6]
            bias = op == "CONV_2D" or number % 4 != 2
            shared = {**geometry, "activation": activation, "bias": bias, "per_channel": number % 5 != 4}
            specs.append({**shared, "dtype": "int8", "acc": "int32"})
            specs.append({**shared, "dtype": "int16", "acc": accs[number // 2 % len(accs)]})
        number = 0
        for style in "saturate", "amplify", "extreme", "ties", "edge", "wide":
            for dtype, acc in ("int8", "int32"), *(("int16", acc) for acc in accs):
                if style == "wide" and acc == "int32":
                    continue
                geometry = styled[op][number % len(styled[op])]
                specs.append({**geometry, "style": style, "dtype": dtype, "acc": acc, "bias": True,
                              "per_channel": True, "activation": "NONE"})
                number += 1
        for number in range(more):
            dtype, acc = [("int8", "int32"), ("int16", accs[number // 2 % len(accs)])][number % 2]
            specs.append({**random_conv(rng, op), "dtype": dtype, "acc": acc, "per_channel": rng.random() < 0.8,
                          "bias": op == "CONV_2D" or rng.random() < 0.7, "activation": rng.choice(ACTIVATIONS)})
        yield from specs


def convolution(spec, rng):
    """Draws the numbers of a convolution.

    The multipliers M = input scale * weight scale / output scale make the outputs fill a good part of their range
    (plain), or mostly leave it (saturate). On small values they are above 1 (amplify), or powers of two, so that many
    accumulators lie half-way between two outputs (ties). Just below powers of two, their 16-bit form saturates (edge).
    `extreme` has inputs at both limits and weights of +-127 only, `wide` biases beyond int32.
    """
    op, dtype, style = spec["op"], spec["dtype"], spec.get("style", "plain")
    (h, w, cin), (kh, kw), (sh, sw), cout = spec["x"], spec["k"], spec["s"], spec["cout"]
    low, high = LIMITS[dtype]
    zx, zy = zero_point(rng, dtype), zero_point(rng, dtype, spec["activation"])
    if dtype == "int8" and style in ("amplify", "saturate", "ties"):
        zy = rng.choice([-11, 0, 7])  # so that both signs show

    attrs = {"stride": spec["s"], "kernel": spec["k"], "padding": spec["padding"]}
    if op == "TRANSPOSE_CONV":
        out = spec["out"]
        attrs["pad_top_left"] = [window(n, k, s, 1, spec["padding"])[1] for n, k, s in zip(out, spec["k"], spec["s"])]
        attrs["output_shape"] = [1, *out, cout]
        weights_shape, role, axis, taps = [cout, kh, kw, cin], "weights_ohwi", 0, cin * -(-kh // sh) * -(-kw // sw)
    else:
        windows = [window(*v, spec["padding"]) for v in zip(spec["x"], spec["k"], spec["s"], spec["d"])]
        out = [v[0] for v in windows]
        attrs |= {"dilation": spec["d"], "pad_top_left": [v[1] for v in windows]}
        if op == "CONV_2D":
            share = cin // spec["groups"]
            weights_shape, role, axis, taps = [cout, kh, kw, share], "weights_ohwi", 0, share * kh * kw
            if spec["groups"] > 1:
                attrs["groups"] = spec["groups"]
        else:
            weights_shape, role, axis, taps = [1, kh, kw, cout], "weights_1hwc", 3, kh * kw
            attrs["depth_multiplier"] = cout // cin
    attrs |= {key: spec[key] for key in ("activation", "per_channel", "bias", "acc")}

    x, weights = uniform(rng, low, high, [1, h, w, cin]), uniform(rng, -127, 127, weights_shape)
    if style in ("amplify", "ties"):
        reach = (10 if style == "amplify" else 40) * (1 if dtype == "int8" else 60)
        x = np.clip(zx + uniform(rng, -reach, reach, x.shape), low, high)
        weights = uniform(rng, -4, 4, weights_shape)
    if style == "extreme":
        x = np.array([low, high])[uniform(rng, 0, 1, x.shape)]
        signs = np.moveaxis(uniform(rng, 0, 1, weights_shape) * 2 - 1, axis, 0)  # a view, one channel after the other
        signs[0::4], signs[1::4] = -1, 1
        weights = 127 * np.moveaxis(signs, 0, axis)

    def rms(v):
        return max(float(np.sqrt(np.mean(v.astype(float) ** 2))), 1.0)

    spread = rms(x - zx) * rms(weights) * math.sqrt(taps)
    if style == "wide":
        spread = 2.0 ** 34
    multiplier = 0.35 * HALF[dtype] / spread
    if style == "saturate":
        multiplier *= 8
    if style == "amplify":
        multiplier = rng.uniform(1.05, 1.5)
    low_factor, high_factor = (1, 3) if style == "amplify" else (0.3, 2.5)
    factors = [log_uniform(rng, low_factor, high_factor) for _ in range(cout if spec["per_channel"] else 1)]
    sy = log_uniform(rng, 0.02, 0.08) if dtype == "int8" else log_uniform(rng, 1e-4, 4e-4)
    sx = log_uniform(rng, 0.003, 0.05) if dtype == "int8" else log_uniform(rng, 2e-5, 3e-4)
    if style in ("ties", "edge"):
        sx, sy = power_of_two(sx), power_of_two(sy)
    scales = [sy * multiplier * f / sx for f in factors]
    if style in ("ties", "edge"):
        scales = [power_of_two(s) * (1 if style == "ties" else 1 - 2.0 ** -17) for s in scales]

    operands = [
        tensor("input", "x", dtype, x, scale=sx, zero=zx),
        tensor("const", role, "int8", weights, scale=scales, axis=axis if spec["per_channel"] else None),
    ]
    if op == "TRANSPOSE_CONV":
        operands = [tensor("hidden", None, "int32", attrs["output_shape"]), *operands[::-1]]
    if spec["bias"]:
        bias = uniform(rng, -int(spread), int(spread), [cout])
        operands.append(tensor("const", "bias", spec["acc"], bias))
    return attrs, operands, output(dtype, [1, *out, cout], sy, zy)


# --- Resizing and moving --------------------------------------------------------------------------------------

MODES = [(False, False), (True, False), (False, True)]  # align_corners, half_pixel_centers


def resize_specs():
    doublings = [([3, 4, 2], [6, 8]), ([2, 3, 1], [8, 12]), ([2, 2, 1], [16, 16])]
    odd = [([3, 5, 2], [7, 11]), ([4, 3, 1], [9, 6]), ([7, 5, 2], [3, 2]), ([8, 6, 1], [4, 3]), ([3, 3, 3], [3, 3]),
           ([4, 3, 2], [1, 1]), ([1, 1, 3], [3, 4]), ([1, 5, 2], [1, 9]), ([5, 1, 2], [8, 1]), ([1, 4, 1], [6, 1])]
    special = {
        # a 10-bit step that drifts away from the exact position
        "RESIZE_BILINEAR": {mode: [([1, 7, 1], [1, 56]), ([1, 32, 1], [1, 96])] for mode in MODES},
        # a float32 product that falls on the wrong side of an integer or a half
        "RESIZE_NEAREST_NEIGHBOR": {
            (False, False): [([1, 26, 1], [1, 22]), ([1, 2, 1], [1, 82])],
            (True, False): [([1, 14, 1], [1, 23]), ([1, 32, 1], [1, 15])],
            (False, True): [([1, 14, 1], [1, 23]), ([1, 26, 1], [1, 11])],
        },
    }
    for op in special:
        for m, mode in enumerate(MODES):
            for n, (x, size) in enumerate(doublings + odd + special[op][mode]):
                both = n < len(doublings) and (op == "RESIZE_BILINEAR" or n == m)
                for dtype in ["int8", "int16"] if both else [["int8", "int16"][(n + m) % 2]]:
                    yield {"op": op, "dtype": dtype, "x": x, "size": size, "mode": mode}


def resize(spec, rng):
    dtype, (h, w, c) = spec["dtype"], spec["x"]
    attrs = {"align_corners": spec["mode"][0], "half_pixel_centers": spec["mode"][1], "size": spec["size"]}
    scale, zero = log_uniform(rng, 0.01, 0.1), zero_point(rng, dtype)
    operands = [tensor("input", "x", dtype, uniform(rng, *LIMITS[dtype], [1, h, w, c]), scale=scale, zero=zero),
                tensor("hidden", None, "int32", spec["size"])]
    return attrs, operands, output(dtype, [1, *spec["size"], c], scale, zero)


def shuffle_specs():
    for x, r in ([2, 3, 4], 2), ([3, 2, 12], 2), ([2, 2, 9], 3), ([1, 3, 16], 4), ([3, 1, 8], 2), ([1, 1, 32], 4):
        yield {"op": "DEPTH_TO_SPACE", "dtype": "int8", "x": x, "block_size": r}
    for x, r in ([4, 6, 1], 2), ([2, 4, 5], 2), ([3, 6, 2], 3), ([4, 8, 1], 4):
        yield {"op": "SPACE_TO_DEPTH", "dtype": "int8", "x": x, "block_size": r}


def shuffle(spec, rng):
    (h, w, c), r = spec["x"], spec["block_size"]
    out = [h * r, w * r, c // (r * r)] if spec["op"] == "DEPTH_TO_SPACE" else [h // r, w // r, c * r * r]
    scale, zero = log_uniform(rng, 0.01, 0.1), zero_point(rng, "int8")
    x = tensor("input", "x", "int8", uniform(rng, -128, 127, [1, h, w, c]), scale=scale, zero=zero)
    return {"block_size": r}, [x], output("int8", [1, *out], scale, zero)


def concat_specs():
    shapes = [(3, [[3, 4, 2], [3, 4, 3]]), (3, [[2, 3, 4], [2, 3, 4], [2, 3, 1]]), (2, [[3, 4, 2], [3, 1, 2]]),
              (1, [[2, 3, 3], [4, 3, 3]]), (1, [[1, 4, 2], [1, 4, 2], [3, 4, 2]]), (2, [[1, 5, 3], [1, 2, 3]]),
              (3, [[1, 1, 5], [1, 1, 2], [1, 1, 1], [1, 1, 4]]), (3, [[4, 1, 1], [4, 1, 7]])]
    for number, (axis, parts) in enumerate(shapes):
        for dtype in "int8", "int16":
            if not (dtype == "int16" and number == 5):
                yield {"op": "CONCATENATION", "dtype": dtype, "axis": axis, "parts": parts}


def concatenation(spec, rng):
    dtype, axis = spec["dtype"], spec["axis"]
    scale, zero = log_uniform(rng, 0.01, 0.1), zero_point(rng, dtype)
    operands = [tensor("input", slot, dtype, uniform(rng, *LIMITS[dtype], [1, *shape]), scale=scale, zero=zero)
                for slot, shape in enumerate(spec["parts"])]
    shape = list(operands[0].shape)
    shape[axis] = sum(t.shape[axis] for t in operands)
    return {"axis": axis}, operands, output(dtype, shape, scale, zero)


# --- Element by element ---------------------------------------------------------------------------------------

def binary_specs():
    """How many output steps a step of a and of b is; for MUL, the larger is what a full-range a makes of a step of b.

    Powers of two put many results half-way between two outputs, 2 and more saturate.
    """
    table = [(0.51, 0.51), (0.61, 0.23), (0.7, 0.005), (0.004, 0.83), (2.1, 2.9), (0.05, 0.049), (0.5, 0.5), (0.25, 1),
             (0.93, 0.21), (0.4, 1.7)]
    for op, dtype, first, count in (("ADD", "int8", 0, 10), ("ADD", "int16", 6, 5), ("SUB", "int8", 6, 6),
                                    ("SUB", "int16", 6, 4), ("MUL", "int8", 0, 9), ("MUL", "int16", 4, 6)):
        for number in range(count):
            yield {"op": op, "dtype": dtype, "steps": table[(first + number) % len(table)],
                   "activation": ACTIVATIONS[number % 4]}


def binary(spec, rng):
    """Inputs over the whole range, the corners (low, low) .. (high, high) first."""
    op, dtype, steps = spec["op"], spec["dtype"], spec["steps"]
    low, high = LIMITS[dtype]
    # an output scale at which the activations' limits lie within the range
    sa, sy = [log_uniform(rng, 0.03, 0.09) * 128 / HALF[dtype] for _ in "ay"]
    if all(power_of_two(s) == s for s in steps):
        sa, sy = power_of_two(sa), power_of_two(sy)
    if op == "MUL":
        sb = max(steps) * sy / sa / HALF[dtype]
    else:
        sa, sb = [s * sy for s in steps]
    zy = zero_point(rng, dtype, spec["activation"])
    shape = [1, 3, 4, 6]
    a, b = [uniform(rng, low, high, shape).ravel() for _ in "ab"]
    a[:4], b[:4] = [low, low, high, high], [low, high, low, high]
    operands = [tensor("input", slot, dtype, v, shape, scale=s, zero=zero_point(rng, dtype))
                for slot, (v, s) in enumerate([(a, sa), (b, sb)])]
    return {"activation": spec["activation"]}, operands, output(dtype, shape, sy, zy)


def unary_specs():
    def spec(op, dtype, sx, zx, sy, zy, **more):
        return {"op": op, "dtype": dtype, "x": (sx, zx), "y": (sy, zy), **more}

    for sx, zx in (0.0472, 0), (0.0933, -128), (0.11, 127), (0.0039, -3), (0.5, 17), (0.031, -71), (1 / 16, 0):
        yield spec("LOGISTIC", "int8", sx, zx, 1 / 256, -128)
    yield spec("LOGISTIC", "int8", 0.04, 9, 1 / 256, 0)
    for sx, zx in (0.0247, 0), (0.05, -128), (0.0061, 127), (0.25, -40), (1 / 32, 0):
        yield spec("TANH", "int8", sx, zx, 1 / 128, 0)
    yield spec("TANH", "int8", 0.02, 11, 0.0091, -17)
    for op in "LOGISTIC", "TANH":
        # 2^-12 (0.000244 counts as such) and, for TANH, 2^-11 take a path of their own
        for sx in 2.0 ** -12, 2.0 ** -11, 0.000244, 0.0003051, 0.00011, 0.0021, 2.0 ** -15:
            yield spec(op, "int16", sx, 0, 1 / 32768, 0)
    # the input's scale decides whether HARD_SWISH shifts left or right
    for sx, zx, sy, zy in ((0.0472, 0, 0.0237, -112), (0.0235, -128, 0.0236, -112), (0.0117, 127, 0.01, 127),
                           (0.0039, -3, 0.004, 0), (0.11, 17, 0.06, -128), (0.51, -71, 0.25, -1), (1.9, 5, 0.9, -120),
                           (1 / 32, 0, 1 / 64, 0)):
        yield spec("HARD_SWISH", "int8", sx, zx, sy, zy)
    for sx, zx, sy, zy, alpha in ((0.05, 0, 0.05, 0, 0.1), (0.031, -128, 0.021, 3, 0.3), (0.02, 127, 0.009, 127, 0.2),
                                  (0.017, -20, 0.03, -128, 0.01), (1 / 16, 5, 1 / 8, -7, 0.5), (0.04, 9, 0.06, 1, 1.5)):
        yield spec("LEAKY_RELU", "int8", sx, zx, sy, zy, alpha=alpha)
    for sx, sy, alpha in ((0.0002, 0.0002, 0.1), (0.0003, 0.00021, 0.3), (2.0 ** -12, 2.0 ** -11, 0.5),
                          (0.0001, 0.00013, 0.99)):
        yield spec("LEAKY_RELU", "int16", sx, 0, sy, 0, alpha=alpha)
    for sx, zx, sy, zy in ((0.05, 0, 0.031, -12), (0.012, -128, 0.047, -128), (0.02, 127, 0.013, 127),
                           (0.03, 0, 0.03, 9), (1 / 16, 3, 1 / 4, -5)):
        yield spec("QUANTIZE", "int8", sx, zx, sy, zy)
    for sx, sy in (0.0002, 0.00031), (0.0003, 0.0001), (2.0 ** -12, 2.0 ** -10):
        yield spec("QUANTIZE", "int16", sx, 0, sy, 0)
    for sx, sy, zy in (0.0002, 0.051, -12), (0.0003, 0.047, 127), (2.0 ** -12, 2.0 ** -5, -128):
        yield spec("QUANTIZE", "int16", sx, 0, sy, zy, to="int8")
    for sx, zx, sy in (0.05, 7, 0.0002), (0.031, -128, 0.00031), (1 / 32, 127, 2.0 ** -11):
        yield spec("QUANTIZE", "int8", sx, zx, sy, 0, to="int16")


def unary(spec, rng):
    """Every int8 value; of the int16 values both ends, the powers of two, the end of the tables, and random ones."""
    (sx, zx), (sy, zy), dtype = spec["x"], spec["y"], spec["dtype"]
    if dtype == "int8":
        values = list(range(-128, 128))
    else:
        # the sigmoid table ends at 255 / 24; TANH reads it at twice its argument
        marks = [0, *(2 ** i for i in range(1, 16)), round(255 / 24 / sx), round(255 / 48 / sx)]
        near = {sign * (mark + n) for mark in marks for n in (-1, 0, 1) for sign in (-1, 1)}
        values = sorted(v for v in near if -32768 <= v <= 32767)
        values += [rng.randint(-32768, 32767) for _ in range(160 - len(values))]
    attrs = {"alpha": float(np.float32(spec["alpha"]))} if "alpha" in spec else {}
    shape = [1, 4, len(values) // 16, 4]
    return attrs, [tensor("input", "x", dtype, values, shape, scale=sx, zero=zx)], \
        output(spec.get("to", dtype), shape, sy, zy)


# --- Files ----------------------------------------------------------------------------------------------------

REALISE = {op: convolution for op in ("TRANSPOSE_CONV", "CONV_2D", "DEPTHWISE_CONV_2D")} \
    | {op: resize for op in ("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR")} \
    | {op: shuffle for op in ("DEPTH_TO_SPACE", "SPACE_TO_DEPTH")} \
    | {op: binary for op in ("ADD", "SUB", "MUL")} | {"CONCATENATION": concatenation} \
    | {op: unary for op in ("LOGISTIC", "TANH", "HARD_SWISH", "LEAKY_RELU", "QUANTIZE")}


def as_case(name, op, attrs, operands, result):
    def tensors(kind):
        made = []
        for t in [*operands, result]:
            if t.kind == kind:
                made.append({"slot" if isinstance(t.role, int) else "role": t.role, "array": t.data})
                if t.scale:
                    made[-1]["quant"] = {"scale": t.scale, "zero_point": t.zero}
                    made[-1]["quant"] |= {} if t.axis is None else {"axis": t.axis}
        return made

    return {"name": name, "suite": "litert", "source": SOURCE, "op": op, "layout": "NHWC", "attrs": attrs,
            "inputs": tensors("input"), "consts": tensors("const"), "outputs": tensors("output")}


def cases():
    rng = random.Random(SEED)
    specs = [*conv_specs(rng), *resize_specs(), *shuffle_specs(), *binary_specs(), *concat_specs(), *unary_specs()]
    counts, seen = Counter(), set()
    for spec in specs:
        key = json.dumps(spec)
        assert key not in seen, f"twice the same case: {key}"
        seen.add(key)
        op = spec["op"]
        family = "_".join([OPS[op][0], SHORT[spec["dtype"]], *([SHORT[spec["to"]]] if "to" in spec else [])])
        name = f"{family}_{counts[family]:03}"
        counts[family] += 1
        draw = random.Random(f"{SEED} {name}")
        for _ in range(100):
            attrs, operands, result = REALISE[op](spec, draw)
            evaluate(op, attrs, operands, result)
            if REALISE[op] not in (convolution, binary) or len(np.unique(result.data)) >= min(8, result.data.size / 4):
                break  # else the zero points left almost nothing of the range: draw again
        else:
            raise AssertionError(f"{name} is nearly constant")
        yield as_case(name, op, attrs, operands, result)


def traits(case):
    """What the summary counts."""
    a, x, y = case["attrs"], case["inputs"][0], case["outputs"][0]
    kind, to = x["array"].dtype.name, y["array"].dtype.name
    found = [kind if kind == to else f"{kind} to {to}"]
    if "acc" in a:
        found[0] += f" acc {a['acc']}" if kind == "int16" else ""
        scales = case["consts"][0]["quant"]["scale"]
        tests = {
            "SAME": a["padding"] == "SAME", "VALID": a["padding"] == "VALID", "groups": "groups" in a,
            "stride > kernel": any(s > k for s, k in zip(a["stride"], a["kernel"])),
            "dilation": max(a.get("dilation", [1])) > 1, "per tensor": not a["per_channel"], "no bias": not a["bias"],
            "multiplier > 1": any(x["quant"]["scale"][0] * s > y["quant"]["scale"][0] for s in scales),
        }
        found += [name for name, is_so in tests.items() if is_so]
    if "size" in a:
        found.append("align_corners" if a["align_corners"] else "half_pixel" if a["half_pixel_centers"] else "neither")
    return found + ([a["activation"]] if "activation" in a else [])


def main():
    arguments = argparse.ArgumentParser(description="Golden vectors from LiteRT's reference kernels.")
    arguments.add_argument("--folders", metavar="DIR", help="write case folders into DIR, not litert.json and .npz")
    folders = arguments.parse_args().folders
    made = list(cases())
    counts, counted = Counter(), {}
    for case in made:
        counts[case["op"]] += 1
        counted.setdefault(case["op"], Counter()).update(traits(case))
    for op, n in counts.items():
        print(f"{n:4} {op:23}", ", ".join(f"{t}: {c}" for t, c in counted[op].items()))
    if folders:
        write_folders(folders, made)
    else:
        write_pair(HERE / "litert", made)


if __name__ == "__main__":
    main()
