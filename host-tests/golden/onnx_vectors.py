"""Golden vectors from ONNX's own tests: `python onnx_vectors.py` rewrites onnx.json and onnx.npz beside it.

With `--folders DIR` it writes the same cases as folders into DIR instead. How a case lies on disk: write_case_files.py.

The cases are the models of the `onnx` package's backend tests that consist of a single node of one of OPS: the node
tests, and the models once converted from PyTorch (opset 6) that ship with the package. Expected outputs are the ones
the package gives, which a test may miss by 1e-7 + 1e-3 |expected|.

    op, opset   the node's operator and the version of each domain its model imports
    attrs       the node's attributes as written in the model; whatever the model leaves to its default is absent
    inputs      by the operator's own slots, null where the node leaves one out; slots after the last given are absent.
                The model's initializers (weights, biases) are inputs like the others
    source      the package, its version and the kind of the test
"""

import argparse
import importlib
import sys
from collections import Counter
from pathlib import Path

try:
    import onnx
    import onnx.backend.test.case.node
    from onnx import helper, numpy_helper
    from write_case_files import write_folders, write_pair
except ImportError as missing:
    sys.exit(f"The package {missing.name} is missing: pip install -r onnx_requirements.txt")

OPS = ["Resize", "Upsample", "ConvTranspose", "DepthToSpace", "SpaceToDepth", "MaxUnpool", "Conv", "Pad"]
HERE = Path(__file__).resolve().parent
STORED = Path(onnx.__file__).parent / "backend" / "test" / "data"
TOO_LARGE = {"test_operator_conv"}  # a plain 3x3 convolution of 4 MB


def node_tests():
    """Name, kind, model, inputs, outputs of the tests that importing an operator's module registers."""
    package = onnx.backend.test.case.node
    for op in OPS:
        importlib.import_module(f"{package.__name__}.{op.lower()}")
    for test in package._NodeTestCases:
        for inputs, outputs in test.data_sets:
            yield test.name, "node", test.model, inputs, outputs


def stored_tests():
    """The same of the tests that are kept as files."""
    for path in sorted(STORED.glob("pytorch-*/*/model.onnx")):
        def tensors(kind):
            files = (path.parent / "test_data_set_0").glob(f"{kind}_*.pb")
            return [numpy_helper.to_array(onnx.load_tensor(f)) for f in sorted(files)]

        if path.parent.name not in TOO_LARGE:
            yield path.parent.name, path.parts[-3], onnx.load(path), tensors("input"), tensors("output")


def as_case(name, kind, model, inputs, outputs):
    """None when the model is more than one node of OPS."""
    graph = model.graph
    if len(graph.node) != 1 or graph.node[0].op_type not in OPS:
        return None
    node = graph.node[0]
    values = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    given = [v.name for v in graph.input if v.name not in values]
    values |= dict(zip(given, inputs, strict=True)) | dict(zip([v.name for v in graph.output], outputs, strict=True))
    slots = onnx.defs.get_schema(node.op_type, model.opset_import[0].version)

    def tensors(names, formal):
        return [{"slot": i, "name": formal[i].name, "array": values[n]} if n else None for i, n in enumerate(names)]

    def plain(value):
        return value.decode() if isinstance(value, bytes) else value

    return {
        "name": name, "suite": "onnx", "source": f"onnx {onnx.__version__} {kind}", "op": node.op_type,
        "attrs": {a.name: plain(helper.get_attribute_value(a)) for a in node.attribute},
        "opset": {o.domain or "ai.onnx": o.version for o in model.opset_import}, "layout": "N C spatial..",
        "inputs": tensors(node.input, slots.inputs), "outputs": tensors(node.output, slots.outputs),
    }


def main():
    arguments = argparse.ArgumentParser(description="Golden vectors from ONNX's own tests.")
    arguments.add_argument("--folders", metavar="DIR", help="write case folders into DIR, not onnx.json and onnx.npz")
    folders = arguments.parse_args().folders
    made = [as_case(*test) for test in [*node_tests(), *stored_tests()]]
    made = sorted((case for case in made if case), key=lambda case: OPS.index(case["op"]))
    counts = Counter((case["op"], case["source"].split()[-1]) for case in made)
    for op in OPS:
        by_kind = {kind: n for (o, kind), n in counts.items() if o == op}
        print(f"{sum(by_kind.values()):4} {op:13}", ", ".join(f"{kind}: {n}" for kind, n in by_kind.items()))
    if folders:
        write_folders(folders, made)
    else:
        write_pair(HERE / "onnx", made)


if __name__ == "__main__":
    main()
