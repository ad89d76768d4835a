//! Prints the README's table of operators from the committed vectors; `--write-docs` writes it there.

use anyhow::{Context, Result, ensure};
use clap::Parser;
use host_tests::run::Status;
use host_tests::{cases, report, run};
use std::fmt::Write;
use std::fs;
use std::path::Path;

/// Runs all committed vectors and prints what came of each operator.
#[derive(Parser)]
#[command(name = "operators")]
struct Arguments {
    /// Also put the table into the README
    #[arg(long)]
    write_docs: bool,
}

struct Row {
    operator: &'static str,
    arguments: &'static str,
    /// Names of float operators in PyTorch and ONNX, and of quantised ones in TFLite.
    float: &'static [&'static str],
    tflite: &'static [&'static str],
}

const ROWS: &[Row] = &[
    Row {
        operator: "`ConvTranspose` 1-D, 2-D",
        arguments: "kernel, stride, dilation, groups, output padding; padding free, SAME, VALID or by output shape; bias; fused clamp",
        float: &["conv_transpose1d", "conv_transpose2d", "ConvTranspose"],
        tflite: &["TRANSPOSE_CONV"],
    },
    Row {
        operator: "`Conv` 1-D, 2-D, depthwise, 1x1",
        arguments: "the same",
        float: &["conv1d", "conv2d", "Conv"],
        tflite: &["CONV_2D", "DEPTHWISE_CONV_2D"],
    },
    Row {
        operator: "`Upsample`: nearest, bilinear, bicubic, area",
        arguments: "size or scale, up or down; five coordinate modes; four roundings; A = -0.75, -0.5; `Exact` or `Tflite`",
        float: &["interpolate", "Resize", "Upsample"],
        tflite: &["RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"],
    },
    Row {
        operator: "`PixelShuffle`, `PixelUnshuffle`",
        arguments: "any block, DCR or CRD",
        float: &["pixel_shuffle", "pixel_unshuffle", "DepthToSpace", "SpaceToDepth"],
        tflite: &["DEPTH_TO_SPACE", "SPACE_TO_DEPTH"],
    },
    Row {
        operator: "`MaxUnpool` 1-D, 2-D",
        arguments: "kernel, stride, padding, output size; packed indices",
        float: &["max_unpool1d", "max_unpool2d", "MaxUnpool"],
        tflite: &[],
    },
    Row {
        operator: "`Pad`",
        arguments: "constant, reflect, replicate; negative pads crop",
        float: &["pad", "Pad"],
        tflite: &[],
    },
    Row {
        operator: "`Add`, `Concat`",
        arguments: "each input requantised; fused clamp; any axis",
        float: &[],
        tflite: &["ADD", "SUB", "MUL", "CONCATENATION"],
    },
    Row {
        operator: "Lookup tables, requantisation",
        arguments: "sigmoid, tanh, hard-swish, leaky ReLU; int16 interpolated",
        float: &[],
        tflite: &["LOGISTIC", "TANH", "HARD_SWISH", "LEAKY_RELU", "QUANTIZE"],
    },
    Row {
        operator: "3-D",
        arguments: "refused: a volume's rows are not a window of rows, it would take a second kernel",
        float: &[],
        tflite: &[],
    },
];

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut outcomes = Vec::new();
    for vectors in ["torch", "onnx", "litert"] {
        for source in cases::packed(&root.join("golden").join(vectors).with_extension("json"))? {
            let name = source.name();
            outcomes.extend(run::check(&name, source.read()));
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
    let mut table = String::from(
        "| operator | arguments | int8: cases, largest error | int16 | equal to LiteRT |\n|---|---|--:|--:|--:|\n",
    );
    for row in ROWS {
        let float = |numbers: &str| match sum(row.float, &[numbers]) {
            (0, _) => "-".to_owned(),
            (cases, 0.0) => format!("{cases}, 0"),
            (cases, largest) => format!("{cases}, {largest:.2}"),
        };
        let equal = match sum(row.tflite, &["i8", "i16"]).0 {
            0 => "-".to_owned(),
            cases => cases.to_string(),
        };
        writeln!(table, "| {} | {} | {} | {} | {equal} |", row.operator, row.arguments, float("i8"), float("i16"))?;
    }
    println!("{table}");
    if arguments.write_docs {
        let readme = root.join("../README.md");
        let text = fs::read_to_string(&readme)?;
        let start = "<!-- cargo run --release -p host-tests --bin operators -->\n";
        let (before, rest) = text.split_once(start).context("the README lacks the place of the table")?;
        let (_, after) = rest.split_once("<!-- end -->").context("the README lacks <!-- end -->")?;
        fs::write(&readme, format!("{before}{start}{table}<!-- end -->{after}"))?;
    }
    Ok(())
}
