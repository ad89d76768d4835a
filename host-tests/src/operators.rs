//! The README's table of operators, from the committed vectors.

use crate::call::Call;
use crate::run::{self, Status};
use crate::{cases, report};
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

struct Row {
    operator: &'static str,
    arguments: &'static str,
    /// Activations x weights, or both alike.
    numbers: &'static str,
    /// Names of float operators in PyTorch and ONNX, and of quantised ones in TFLite.
    float: &'static [&'static str],
    tflite: &'static [&'static str],
}

const ROWS: &[Row] = &[
    Row {
        operator: "`ConvTranspose` 1-D, 2-D",
        arguments: "kernel, stride, dilation, groups, output padding; padding free, SAME, VALID or by output shape; bias; fused clamp",
        numbers: "8x8, 16x8, 8x16, Q",
        float: &["conv_transpose1d", "conv_transpose2d", "ConvTranspose"],
        tflite: &["TRANSPOSE_CONV"],
    },
    Row {
        operator: "`Conv` 1-D, 2-D, depthwise, 1x1",
        arguments: "the same",
        numbers: "the same",
        float: &["conv1d", "conv2d", "Conv"],
        tflite: &["CONV_2D", "DEPTHWISE_CONV_2D"],
    },
    Row {
        operator: "`Upsample`: nearest, bilinear, bicubic, area",
        arguments: "size or scale, up or down; five coordinate modes; four roundings; A = -0.75, -0.5; `Exact` or `Tflite`",
        numbers: "int8, int16, Q",
        float: &["interpolate", "Resize", "Upsample"],
        tflite: &["RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"],
    },
    Row {
        operator: "`PixelShuffle`, `PixelUnshuffle`",
        arguments: "any block, DCR or CRD",
        numbers: "int8, int16, Q",
        float: &["pixel_shuffle", "pixel_unshuffle", "DepthToSpace", "SpaceToDepth"],
        tflite: &["DEPTH_TO_SPACE", "SPACE_TO_DEPTH"],
    },
    Row {
        operator: "`MaxUnpool` 1-D, 2-D",
        arguments: "kernel, stride, padding, output size; packed indices",
        numbers: "int8, int16, Q",
        float: &["max_unpool1d", "max_unpool2d", "MaxUnpool"],
        tflite: &[],
    },
    Row {
        operator: "`Pad`",
        arguments: "constant, reflect, replicate; negative pads crop",
        numbers: "int8, int16, Q",
        float: &["pad", "Pad"],
        tflite: &[],
    },
    Row {
        operator: "`Add`, `Concat`",
        arguments: "each input requantised; fused clamp; any axis",
        numbers: "int8, int16, Q",
        float: &[],
        tflite: &["ADD", "SUB", "MUL", "CONCATENATION"],
    },
    Row {
        operator: "Lookup tables, requantisation",
        arguments: "sigmoid, tanh, hard-swish, leaky ReLU; int16 interpolated",
        numbers: "int8, int16, Q",
        float: &[],
        tflite: &["LOGISTIC", "TANH", "HARD_SWISH", "LEAKY_RELU", "QUANTIZE"],
    },
    Row {
        operator: "3-D",
        arguments: "refused: a volume's rows are not a window of rows, it would take a second kernel",
        numbers: "-",
        float: &[],
        tflite: &[],
    },
];

const HEAD: &str = "| operator | arguments | numbers | int8: cases, largest error | int16 | equal to LiteRT |\n|---|---|---|--:|--:|--:|\n";

/// Runs all committed vectors and puts what came of each operator into a table.
///
/// Errors are those of the float cases; operators that only TFLite's cases have are held to the f64 reference on the dequantised inputs.
///
/// # Errors
/// When the vectors cannot be read or one of them fails.
pub fn table() -> Result<String> {
    let (mut outcomes, mut distances) = (Vec::new(), BTreeMap::<(String, &str), (usize, f64)>::new());
    for vectors in ["torch", "onnx", "litert"] {
        let json = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(vectors).with_extension("json");
        for source in cases::packed(&json)? {
            let (name, case) = (source.name(), source.read()?);
            if let Ok(call) = Call::new(&case)
                && let Ok(distance) = run::distance(&call)
                && let Some(q) = &call.quantised
            {
                let (cases, largest) = distances.entry((case.op.clone(), q.numbers.name())).or_default();
                (*cases, *largest) = (*cases + 1, largest.max(distance));
            }
            outcomes.extend(run::check(&name, Ok(case)));
        }
    }
    ensure!(!outcomes.iter().any(|o| o.failed()), "a committed vector fails: run the tests");

    let counts = report::count(&outcomes);
    let sum = |ops: &[&str], numbers: &[&str]| {
        let (mut passed, mut largest) = (0, 0f64);
        for ((op, n), c) in &counts {
            if ops.contains(op) && numbers.contains(n) {
                passed += c.of[Status::Exact as usize] + c.of[Status::Within as usize];
                largest = largest.max(c.largest);
            }
        }
        (passed, largest)
    };
    let mut table = HEAD.to_owned();
    for Row { operator, arguments, numbers, float, tflite } in ROWS {
        let error = |numbers: &str| {
            let (cases, largest) = if float.is_empty() {
                let of = distances.iter().filter(|((op, n), _)| tflite.contains(&op.as_str()) && *n == numbers);
                of.fold((0, 0.0), |(cases, largest): (usize, f64), (_, (n, d))| (cases + n, largest.max(*d)))
            } else {
                sum(float, &[numbers])
            };
            match (cases, largest) {
                (0, _) => "-".to_owned(),
                (cases, 0.0) => format!("{cases}, 0"),
                (cases, largest) => format!("{cases}, {largest:.2}"),
            }
        };
        let equal = match sum(tflite, &["i8", "i16"]).0 {
            0 => "-".to_owned(),
            cases => cases.to_string(),
        };
        writeln!(table, "| {operator} | {arguments} | {numbers} | {} | {} | {equal} |", error("i8"), error("i16"))?;
    }
    Ok(table)
}

/// The README with another table, and the table that it has.
///
/// # Errors
/// When it lacks the table's marks.
pub fn in_readme(readme: &str, table: &str) -> Result<(String, String)> {
    let start = "<!-- cargo run --release -p host-tests --bin operators -->\n";
    let (before, rest) = readme.split_once(start).context("the README lacks the place of the table")?;
    let (old, after) = rest.split_once("<!-- end -->").context("the README lacks <!-- end -->")?;
    Ok((format!("{before}{start}{table}<!-- end -->{after}"), old.to_owned()))
}
