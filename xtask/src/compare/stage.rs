//! One stage of a person's own: the five ways to double the size of a tensor, in int8.

use crate::boards::CORES;
use crate::terminal::markdown;
use crate::{bench, reports};
use anyhow::{Context, Result, ensure};
use firmware::bench::ARENA;
use firmware::report::Report;
use indicatif::HumanCount;
use upconv::{
    Activation, Conv, ConvTranspose, Convolution, Decoder, Error, FoldNearest, Geometry, Layer, Multiplier, Node,
    Numerics, Plan, Quant, Quantization, Resize, Rounding, Shape, Upsample, Weights,
};

/// A way to double the size, and the layers that it is made of, as the bench writes them.
struct Way {
    name: &'static str,
    layers: &'static [Line],
    /// Bytes of weights, biases and multipliers.
    flash: usize,
    macs: u64,
    /// Bytes of activations, streamed and layer by layer.
    ram: [usize; 2],
}

/// A layer of the bench's, of a stage of so many input rows and output channels.
type Line = fn(Shape, usize) -> String;

const K2: Line = |x, n| format!("conv_transpose {}x{}x{} k2 s2 c{n}", x.h, x.w, x.c);
const K4: Line = |x, n| format!("conv_transpose {}x{}x{} k4 s2 p1 c{n}", x.h, x.w, x.c);
const BILINEAR: Line = |x, _| format!("upsample bilinear {}x{}x{} {}x{}", x.h, x.w, x.c, 2 * x.h, 2 * x.w);
const NEAREST: Line = |x, _| format!("upsample nearest {}x{}x{} {}x{}", x.h, x.w, x.c, 2 * x.h, 2 * x.w);
const CONV: Line = |x, n| format!("conv {}x{}x{} k3 p1 c{n}", 2 * x.h, 2 * x.w, x.c);
const FOLDED: Line = |x, n| format!("fold nearest2+conv3x3 {}x{}x{} c{n}", x.h, x.w, x.c);

/// Prints what each way costs.
pub fn run(input: &str, channels: usize) -> Result<()> {
    let numbers: Option<Vec<usize>> = input.split('x').map(|n| n.parse().ok()).collect();
    let [h, w, c] = numbers.unwrap_or_default()[..] else { anyhow::bail!("`{input}` is no shape such as 16x16x64") };
    let shape = Shape::new(h, w, c);
    // Before anything is built.
    let ways = ways(shape, channels)?;
    let counts: Vec<Vec<Option<Count>>> =
        ways.iter().map(|way| way.layers.iter().map(|line| count(*line, shape, channels)).collect()).collect();
    let mut lines: Vec<String> = counts.iter().flatten().flatten().flatten().map(|(_, line)| line.clone()).collect();
    lines.sort();
    lines.dedup();
    let measured = if lines.is_empty() { None } else { Some(bench::measure(CORES.iter().collect(), lines)?) };

    let mut rows =
        vec![["stage, int8", "weights in flash", "RAM streamed", "RAM whole", "MACs"].map(String::from).to_vec()];
    rows[0].extend(CORES.iter().map(|core| core.name.to_string()));
    let told = |n: u64| HumanCount(n).to_string();
    for (way, counts) in ways.iter().zip(&counts) {
        let mut row = vec![way.name.to_string()];
        row.extend([way.flash, way.ram[0], way.ram[1]].map(|n| told(n as u64)));
        row.push(told(way.macs));
        let whole: Option<Vec<&Count>> = counts.iter().map(Option::as_ref).collect();
        for core in CORES {
            let (Some(counts), Some(measured)) = (&whole, &measured) else {
                row.push("-".into());
                continue;
            };
            let mut sum = 0.0;
            for (share, line) in counts.iter().copied().flatten() {
                sum += share * measured.cost(line, core.name).context("a layer was not measured")?.instructions as f64;
            }
            let exact = counts.iter().all(|count| count.len() == 1);
            row.push(format!("{}{}", if exact { "" } else { "~" }, told(sum.round() as u64)));
        }
        rows.push(row);
    }
    println!("{}\n\n{}", markdown(&rows), NOTES.join("\n"));
    if rows.iter().flatten().any(|cell| cell.starts_with('~')) {
        println!(
            "- ~: the stage does not fit the bench's {} bytes whole; the same width at {FEWER}",
            told(ARENA as u64)
        );
    }
    if rows.iter().flatten().any(|cell| cell == "-") {
        println!(
            "- -: not even {LEAST_ROWS} rows of so many columns and channels fit the bench's {} bytes",
            told(ARENA as u64)
        );
    }
    Ok(())
}

const NOTES: [&str; 3] = [
    "- weights in flash: bytes, with biases and multipliers; RAM: bytes of activations, streamed (rings) and whole (layer by layer, input included), the output leaving row by row in both",
    "- MACs: the interpolation's multiplications too",
    "- m0 ... rv32: instructions on each core, whole tensors, weights from a seed; with Helium (m55) a fold of int8 takes the weights of the pair it replaces",
];

const FEWER: &str = "two smaller heights (and, where that is not enough, two smaller numbers of output channels) was counted and continued as a straight line, exact over rows and within 5 % over channels where both were counted";

/// Instructions as a sum of measured lines, each times a factor.
type Count = Vec<(f64, String)>;

/// The fewest input rows that are measured: more than both borders.
const LEAST_ROWS: usize = 4;
/// ... and output channels.
const LEAST_CHANNELS: usize = 4;

/// How a layer is counted: as it is, or where it is too large for the bench from smaller ones. Each row and each channel costs the same, so that two
/// of them give the straight line.
fn count(line: Line, shape: Shape, channels: usize) -> Option<Count> {
    if fits(&line(shape, channels)) {
        return Some(vec![(1.0, line(shape, channels))]);
    }
    let of_height = |h: usize| vec![(1.0, line(Shape::new(h, shape.w, shape.c), channels))];
    let less = |n: usize| std::iter::successors(Some(n / 2), |n| Some(n / 2)).map(|n| n.next_multiple_of(2));
    let mut heights = less(shape.h).take_while(|h| *h >= 2 * LEAST_ROWS);
    if let Some(h) = heights.find(|h| *h < shape.h && fits(&of_height(*h)[0].1)) {
        return Some(continued(of_height(h), of_height(h / 2), h, h / 2, shape.h));
    }
    let n = less(channels).take_while(|n| *n >= 2 * LEAST_CHANNELS).find(|n| *n < channels)?;
    Some(continued(count(line, shape, n)?, count(line, shape, n / 2)?, n, n / 2, channels))
}

/// The straight line through a at x and b at y, at z.
fn continued(a: Count, b: Count, x: usize, y: usize, z: usize) -> Count {
    let slope = (z as f64 - x as f64) / (x as f64 - y as f64);
    let scaled = |count: Count, by: f64| count.into_iter().map(move |(share, line)| (by * share, line));
    scaled(a, 1.0 + slope).chain(scaled(b, -slope)).collect()
}

/// Whether the bench has room for a layer.
fn fits(line: &str) -> bool {
    let mut host = reports::on_host(firmware::bench::run, &[line.into()]);
    reports::decode(&mut host).is_ok_and(|reports| matches!(reports.first(), Some(Report::Layer(_))))
}

/// More weights than this are no microcontroller's.
const MOST_WEIGHTS: usize = 64 << 20;

fn ways(x: Shape, channels: usize) -> Result<[Way; 5]> {
    const TAPS: usize = 16;
    let most = TAPS.checked_mul(x.c).and_then(|n| n.checked_mul(channels)).filter(|n| *n <= MOST_WEIGHTS);
    let most = most.with_context(|| format!("{} to {channels} channels need more than {MOST_WEIGHTS} weights", x.c))?;
    ensure!(!x.is_empty() && channels > 0, "a stage has at least 1 row, 1 column and 1 channel");
    let (weights, wide, multipliers) = (vec![0i8; most], vec![0i16; most], [Multiplier::from_real(0.5)?]);
    let quant = || Quantization {
        x: Quant::new(1.0, 0),
        y: Quant::new(1.0, 0),
        multipliers: &multipliers,
        activation: Activation::None,
        rounding: Rounding::TfliteDouble,
    };
    let layer = |plan: &Plan| -> Result<Convolution<'_, i8, i8, i32>, Error> {
        Weights::<i8, i32> { packed: &weights[..plan.weight_len()], bias: &[] }.layer::<i8>(plan, quant())
    };
    let k2 = layer(&ConvTranspose::plan(x, channels, Geometry::square(2).stride(2, 2))?)?;
    let k4 = layer(&ConvTranspose::plan(x, channels, Geometry::square(4).stride(2, 2).pad(1))?)?;
    let nearest = Upsample::nearest(x, 2, 2)?;
    let up = nearest.output_shape();
    let bilinear = Upsample::bilinear(x, Resize::to(up.h, up.w), Numerics::Exact)?;
    let conv = layer(&Conv::plan(up, channels, Geometry::square(3).pad(1))?)?;
    let fold = FoldNearest::plan(x, [2, 2], channels, Geometry::square(3).pad(1))?.transposed();
    let folded = Weights::<i16, i32> { packed: &wide[..fold.weight_len()], bias: &[] }.layer::<i8>(&fold, quant())?;
    // A multiplier and a bias.
    let flash = |weights: usize| weights + channels * (8 + 4);
    let input = Node::<i8>::rows(x);
    let one = |name, line: &'static [Line], flash, layer: &dyn Layer<i8>, node: Node<'_, i8>| -> Result<Way> {
        let nodes = [input, node];
        let ram = [Decoder::plan(nodes)?.peak(), Decoder::layer_by_layer(nodes)?.peak()];
        Ok(Way { name, layers: line, flash, macs: layer.macs(), ram })
    };
    let two = |name, lines: &'static [Line], up: &dyn Layer<i8>, node: Node<'_, i8>| -> Result<Way> {
        let nodes = [input, node, conv.node(1)];
        let ram = [Decoder::plan(nodes)?.peak(), Decoder::layer_by_layer(nodes)?.peak()];
        Ok(Way {
            name,
            layers: lines,
            flash: flash(9 * x.c * channels),
            macs: up.macs() + Layer::<i8>::macs(&conv),
            ram,
        })
    };
    Ok([
        one("ConvTranspose2d k2 s2", &[K2], flash(4 * x.c * channels), &k2, k2.node(0))?,
        one("ConvTranspose2d k4 s2 p1", &[K4], flash(most), &k4, k4.node(0))?,
        two("Upsample bilinear + Conv2d k3", &[BILINEAR, CONV], &bilinear, bilinear.node(0))?,
        two("Upsample nearest + Conv2d k3", &[NEAREST, CONV], &nearest, nearest.node(0))?,
        one("the same folded", &[FOLDED], flash(2 * most), &folded, folded.node(0))?,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_straight_line_continues() {
        // 3 + 2 n at 8 and 4, continued to 64.
        let count = continued(vec![(1.0, "a".into())], vec![(1.0, "b".into())], 8, 4, 64);
        let value: f64 = count.iter().map(|(share, line)| share * if line == "a" { 19.0 } else { 11.0 }).sum();
        assert!((value - 131.0).abs() < 1e-9);
    }

    #[test]
    fn what_is_too_large_for_the_bench_is_counted_from_less() {
        let whole = count(K2, Shape::new(8, 8, 16), 8).unwrap();
        assert_eq!(whole, [(1.0, "conv_transpose 8x8x16 k2 s2 c8".into())]);
        let rows = count(K2, Shape::new(64, 64, 64), 32).unwrap();
        let lines: Vec<_> = rows.iter().map(|(_, line)| &line[..]).collect();
        assert_eq!(lines, ["conv_transpose 16x64x64 k2 s2 c32", "conv_transpose 8x64x64 k2 s2 c32"]);
        assert!((rows.iter().map(|(share, _)| share).sum::<f64>() - 1.0).abs() < 1e-9);
        assert_eq!(count(FOLDED, Shape::new(8, 8, 128), 64).unwrap().len(), 2);
        assert_eq!(count(K2, Shape::new(8, 100_000, 64), 32), None);
    }

    #[test]
    fn ordinary_stages_have_their_costs() {
        let [k2, k4, _, nearest, folded] = ways(Shape::new(64, 64, 16), 8).unwrap();
        assert_eq!((k2.macs, k2.flash), (64 * 64 * 4 * 16 * 8, 4 * 16 * 8 + 8 * 12));
        // Streamed: one input row, two, and one or two rows of 128x16 more; and an output row.
        assert_eq!(
            (k2.ram[0], k4.ram[0], folded.ram[0]),
            (64 * 16 + 128 * 8, 2 * 64 * 16 + 128 * 8, 2 * 64 * 16 + 128 * 8)
        );
        assert_eq!(k2.ram[1], 64 * 64 * 16 + 128 * 8);
        assert_eq!(nearest.ram[1], 64 * 64 * 16 + 128 * 128 * 16 + 128 * 8);
        assert!(ways(Shape::new(0, 64, 16), 8).is_err() && ways(Shape::new(1, 1, 1 << 40), 1 << 40).is_err());
    }
}
