"""The two forms in which a case lies on disk. Needs NumPy only.

A case is a dictionary (name, suite, source, op, kwargs or attrs, layout, inputs, outputs, ..) in which each tensor is
a dictionary {slot or role, name, .., array}; an absent input is None. On disk `array` becomes `dtype`, `shape` and a
place:

    a folder   params.json, the tensors in .npy files beside it (NumPy format 1.0, C order): "file": "in_0.npy"
    a pair     X.json, an array with one case per line, and X.npz, which holds one flat array per dtype, float32.npy
               and so on: the tensor is the prod(shape) values from element "offset" of the array of its dtype

The pair saves the header of each array, and its bytes depend on the cases only (and, compressed, on Python's zlib).
"""

import io
import json
import zipfile
from pathlib import Path

import numpy as np

PREFIX = {"inputs": "in", "consts": "const", "outputs": "out"}


def _placed(case, place):
    """The case as JSON; `place(array, file name)` stores a tensor and returns the key and the value that say where."""
    def entry(tensor, file):
        if tensor is None:
            return None
        array = np.asarray(tensor["array"], order="C")
        known = {k: v for k, v in tensor.items() if k not in ("array", "quant")}
        known |= {"dtype": array.dtype.name, "shape": list(array.shape)} | place(array, file)
        return known | {k: v for k, v in tensor.items() if k == "quant"}

    return {key: [entry(t, f"{PREFIX[key]}_{i}.npy") for i, t in enumerate(value)] if key in PREFIX else value
            for key, value in case.items()}


def _npy(array):
    data = io.BytesIO()
    np.lib.format.write_array(data, array, version=(1, 0), allow_pickle=False)
    return data.getvalue()


def write_folder(folder, case):
    """Writes one case as a folder."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)

    def place(array, file):
        (folder / file).write_bytes(_npy(array))
        return {"file": file}

    def text(key, value):  # a line for each tensor
        if key not in PREFIX:
            return json.dumps(value)
        return "[" + ",\n            ".join(json.dumps(tensor) for tensor in value) + "]"

    lines = ",\n ".join(f'"{key}": {text(key, value)}' for key, value in _placed(case, place).items())
    (folder / "params.json").write_text("{" + lines + "}\n", newline="\n")


def write_folders(parent, cases):
    """Writes every case as a folder of its name."""
    for case in cases:
        write_folder(Path(parent) / case["name"], case)
    print(f"{len(cases)} folders in {parent}")


def write_pair(stem, cases):
    """Writes all cases as <stem>.json and <stem>.npz."""
    pools, used = {}, {}

    def place(array, _):
        dtype = array.dtype.name
        offset = used.get(dtype, 0)
        used[dtype] = offset + array.size
        pools.setdefault(dtype, []).append(array.ravel())
        return {"offset": offset}

    lines = ",\n".join(json.dumps(_placed(case, place), separators=(",", ":")) for case in cases)
    index, values = Path(f"{stem}.json"), Path(f"{stem}.npz")
    index.write_text(f"[\n{lines}\n]\n", newline="\n")
    with zipfile.ZipFile(values, "w") as z:
        for dtype in sorted(pools):
            member = zipfile.ZipInfo(f"{dtype}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            member.create_system = 3  # the same bytes from every operating system
            z.writestr(member, _npy(np.concatenate(pools[dtype])), zipfile.ZIP_DEFLATED, 9)
    held = ", ".join(f"{n} {dtype}" for dtype, n in sorted(used.items()))
    print(f"{len(cases)} cases of {held}: {index.name} {index.stat().st_size} bytes, {values.name} "
          f"{values.stat().st_size} bytes")
