//! What a layer may cost: musts and aims, in instructions per MAC or per output value.

/// The odd shape of a [`Cliff`](crate::Cliff) against the even one.
pub const CLIFF: f64 = 2.0;
/// A folded layer against the upsample and the convolution one after the other.
pub const FOLD: f64 = 0.5;
/// A decoder row by row against the same operators on whole tensors. A signal's rows are single pixels, beside which the driver's 80 instructions count.
pub const STREAMED: f64 = 1.08;
/// The lines of these decoders.
pub const DECODERS: [&str; 3] = ["decoder chain", "decoder stage", "decoder signal"];
/// int16x8 against int8 on an M4.
pub const I16X8: f64 = 1.6;

/// The most that a layer may cost on a core, and what it should.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Target {
    /// The most.
    pub must: f64,
    /// Less than that, where it is named.
    pub aim: Option<f64>,
}

/// The layers of the rows below.
const LAYERS: [&str; 10] = ["T1", "T2", "T3", "T4", "T5", "T6", "T7", "T8", "C1", "C2"];

type Row = (&'static [&'static str], [f64; LAYERS.len()], Option<[f64; LAYERS.len()]>);

const ROWS: [Row; 5] = [
    (
        &["m4", "m33"],
        [1.35, 1.8, 1.6, 1.35, 2.2, 2.6, 1.6, 3.4, 1.2, 1.8],
        Some([1.15, 1.4, 1.3, 1.15, 1.6, 2.0, 1.3, 2.6, 1.05, 1.5]),
    ),
    (&["m55"], [0.30, 0.45, 0.45, 0.32, 0.9, 1.2, 0.5, 1.4, 0.25, 0.6], None),
    (&["m3"], [2.6, 3.2, 3.0, 2.6, 3.6, 4.4, 3.0, 5.5, 2.6, 3.2], None),
    (&["m0"], [4.6, 5.6, 5.2, 4.6, 6.0, 7.5, 5.0, 9.5, 4.6, 5.6], None),
    (&["rv32"], [3.6, 4.4, 4.2, 3.6, 4.8, 6.0, 4.0, 7.5, 3.6, 4.4], None),
];

/// Other layers, cores, and the most per output value, or per MAC where there are any.
///
/// A depthwise layer shares nothing between channels: on Armv7-M 11 instructions for four products (places, weight, four values, four products, the sum of
/// weights), requantisation some 11 an output for its 9 (transposed: 4) products, and a set-up for every channel of four pixels. With Helium 16 for sixteen
/// products, 3 an output for the rest of its loop, and a set-up for every sixteen channels of a row, which counts where a row has few products (transposed). No other library's
/// figures are known for these layers; the musts are 10 to 15 % above what was reached.
const OTHERS: [(&[&str], &[&str], f64); 19] = [
    (&["R1", "R2", "R3"], &["m4", "m33"], 6.0),
    (&["R1", "R2", "R3"], &["m55"], 2.0),
    (&["R1", "R2", "R3"], &["m3"], 14.0),
    (&["R1", "R2", "R3"], &["m0"], 18.0),
    (&["R any ratio"], &["m4"], 14.0),
    (&["N1", "N2"], &["m4"], 0.6),
    (&["N1", "N2"], &["m55"], 0.3),
    (&["N1", "N2"], &["m0"], 1.2),
    (&["D1"], &["m4"], 0.6),
    (&["depthwise"], &["m4", "m7", "m33"], 8.7),
    (&["depthwise"], &["m55"], 2.3),
    (&["depthwise"], &["m3"], 9.3),
    (&["depthwise"], &["m0"], 16.7),
    (&["depthwise"], &["rv32"], 13.5),
    (&["depthwise up"], &["m4", "m7", "m33"], 14.8),
    (&["depthwise up"], &["m55"], 4.0),
    (&["depthwise up"], &["m3"], 16.0),
    (&["depthwise up"], &["m0"], 30.0),
    (&["depthwise up"], &["rv32"], 21.5),
];

/// The target of a layer by its name, if it has one.
pub fn target(layer: &str, core: &str) -> Option<Target> {
    let column = LAYERS.iter().position(|l| *l == layer);
    let row = ROWS.iter().find(|(cores, ..)| cores.contains(&core));
    if let (Some(column), Some((_, must, aim))) = (column, row) {
        return Some(Target { must: must[column], aim: aim.map(|aim| aim[column]) });
    }
    let found = OTHERS.iter().find(|(layers, cores, _)| layers.contains(&layer) && cores.contains(&core));
    found.map(|(_, _, must)| Target { must: *must, aim: None })
}
