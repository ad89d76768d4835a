//! What is measured, what others need for the same, and what it may cost: the data of `cargo xtask bench` and of the README's table.

pub mod peers;
pub mod targets;

use firmware::bench::{Operator, Spec};
use upconv::{Conv, ConvTranspose, Error, Plan};

/// A layer that is measured when nothing else is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Layer {
    /// Its short name.
    pub name: &'static str,
    /// The line that [`Spec::parse`] reads.
    pub spec: &'static str,
}

macro_rules! layers {
    ($($name:literal: $spec:literal,)+) => {
        &[$(Layer { name: $name, spec: $spec }),+]
    };
}

/// The layers by name: T transposed convolution, C convolution, R bilinear, N nearest, D depth-to-space are those of the peers. S are signals: the last
/// layer of a decoder by 8, and the last one, a middle one and the resizes of the electrocardiogram's.
pub const LAYERS: &[Layer] = layers! {
    "T1": "conv_transpose 8x8x64 k2 s2 c32",
    "T2": "conv_transpose 16x16x32 k2 s2 c16",
    "T3": "conv_transpose 7x7x32 k3 s2 p1 op1 c16",
    "T4": "conv_transpose 8x8x32 k4 s2 p1 c16",
    "T5": "conv_transpose 16x16x16 k4 s2 p1 c1",
    "T6": "conv_transpose 1x64x16 k1x16 s1x8 c1",
    "T7": "conv_transpose 16x16x16 k3 p1 c16",
    "T8": "conv_transpose 32x32x8 k2 s2 c8",
    "C1": "conv 16x16x32 k3 p1 c32",
    "C2": "conv 32x32x16 k1 c16",
    "C3": "conv 8x8x64 k1 c128",
    "R1": "upsample bilinear 8x8x32 16x16",
    "R2": "upsample bilinear 16x16x16 32x32",
    "R3": "upsample bilinear 32x32x8 64x64",
    "N1": "upsample nearest 16x16x32 32x32",
    "N2": "upsample nearest 32x32x8 64x64",
    "D1": "depth_to_space 16x16x64 2",
    "R any ratio": "upsample bilinear 8x8x32 13x19",
    "R align corners": "upsample bilinear 8x8x32 16x16 align_corners",
    "R i16": "upsample bilinear 8x8x32 16x16 i16",
    "N any ratio": "upsample nearest 8x8x32 13x19",
    "bicubic": "upsample bicubic 8x8x32 16x16",
    "area": "upsample area 16x16x32 8x8",
    "F1": "fold nearest2+conv3x3 16x16x32 c32",
    "F2": "fold nearest2+conv3x3 8x8x16 c8",
    "C4": "conv 16x16x128 k3 p1 c64",
    "T1 i16x8": "conv_transpose 8x8x64 k2 s2 c32 i16x8",
    "T4 i16x8": "conv_transpose 8x8x32 k4 s2 p1 c16 i16x8",
    "C1 i16x8": "conv 16x16x32 k3 p1 c32 i16x8",
    "C4 i16x8": "conv 16x16x128 k3 p1 c64 i16x8",
    "T4 i8x16": "conv_transpose 8x8x32 k4 s2 p1 c16 i8x16",
    "T4 rows": "conv_transpose 8x8x32 k4 s2 p1 c16 rows",
    "depthwise": "conv 16x16x32 k3 p1 g32 c32",
    "depthwise up": "conv_transpose 8x8x32 k4 s2 p1 g32 c32",
    "S1": "conv_transpose 64x1x16 k16x1 s8x1 c1",
    "S2": "conv 256x1x8 k3x1 p1,0,1,0 c1",
    "S3": "conv_transpose 64x1x16 k4x1 s2x1 p1,0,1,0 c12",
    "S3 i16x8": "conv_transpose 64x1x16 k4x1 s2x1 p1,0,1,0 c12 i16x8",
    "SR": "upsample bilinear 128x1x16 256x1",
    "SN": "upsample nearest 128x1x16 256x1",
};

/// Two neighbouring shapes; the first one may cost at most [`targets::CLIFF`] times as much per MAC or output value.
#[derive(Clone, Debug)]
pub struct Cliff {
    /// The odd shape.
    pub odd: String,
    /// The even one beside it.
    pub even: String,
}

/// The shapes around the layers: few channels, odd channels, odd widths.
pub fn cliffs() -> Vec<Cliff> {
    let mut cliffs = Vec::new();
    let mut cliff = |of: &dyn Fn(usize) -> String, odd, even| cliffs.push(Cliff { odd: of(odd), even: of(even) });
    for (operator, rest) in [("conv_transpose", "k2 s2"), ("conv_transpose", "k4 s2 p1"), ("conv", "k3 p1")] {
        for (odd, even) in [(1, 2), (2, 4), (3, 4), (4, 6), (5, 6), (6, 8), (7, 8), (17, 16)] {
            cliff(&|c| format!("{operator} 8x8x{c} {rest} c16"), odd, even);
        }
        for (odd, even) in [(1, 2), (2, 4), (3, 4), (4, 6), (5, 6), (17, 16)] {
            cliff(&|c| format!("{operator} 8x8x16 {rest} c{c}"), odd, even);
        }
        for (odd, even) in [(1, 2), (3, 4), (7, 8), (9, 8), (13, 12)] {
            cliff(&|w| format!("{operator} 8x{w}x16 {rest} c16"), odd, even);
        }
    }
    for (odd, even) in [(1, 2), (2, 4), (3, 4), (5, 6), (17, 16)] {
        cliff(&|c| format!("conv 8x8x{c} k1 c16"), odd, even);
        cliff(&|c| format!("conv_transpose 7x7x{c} k3 s2 p1 op1 c16"), odd, even);
        cliff(&|c| format!("conv_transpose 1x64x{c} k1x16 s1x8 c1"), odd, even);
        cliff(&|c| format!("fold nearest2+conv3x3 8x8x{c} c8"), odd, even);
        cliff(&|c| format!("conv_transpose 8x8x{c} k2 s2 c16 i16x8"), odd, even);
        cliff(&|c| format!("depth_to_space 8x8x{} 2", 4 * c), odd, even);
    }
    cliff(&|w| format!("conv 8x{w}x16 k3 p1 g16 c16"), 1, 2);
    for (mode, to) in
        [("bilinear", "16x16"), ("nearest", "16x16"), ("nearest", "24x24"), ("bilinear", "13x19"), ("nearest", "13x19")]
    {
        for (odd, even) in [(1, 2), (3, 4), (5, 6), (7, 8), (17, 16)] {
            cliff(&|c| format!("upsample {mode} 8x8x{c} {to}"), odd, even);
        }
    }
    for mode in ["bilinear", "nearest"] {
        for (odd, even) in [(3, 4), (7, 8), (9, 8)] {
            cliff(&|w| format!("upsample {mode} 8x{w}x8 16x{}", 2 * w), odd, even);
        }
    }
    cliffs
}

/// The plan of a convolution; of another operator nothing.
///
/// # Errors
/// What the plan refuses.
pub fn plan(spec: &Spec) -> Option<Result<Plan, Error>> {
    match spec.operator {
        Operator::Convolution { transposed: true, channels, geometry } => {
            Some(ConvTranspose::plan(spec.input, channels, geometry))
        }
        Operator::Convolution { transposed: false, channels, geometry } => {
            Some(Conv::plan(spec.input, channels, geometry))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn useful_macs_are_those_of_the_peers() {
        let expected =
            [524_288, 524_288, 204_800, 460_800, 61_504, 16_384, 541_696, 262_144, 2_166_784, 262_144, 524_288];
        let macs = LAYERS.iter().filter_map(|layer| plan(&Spec::parse(layer.spec).unwrap())).map(|p| p.unwrap().macs());
        assert_eq!(macs.take(expected.len()).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn every_line_can_be_read() {
        for line in
            LAYERS.iter().map(|layer| layer.spec.to_string()).chain(cliffs().into_iter().flat_map(|c| [c.odd, c.even]))
        {
            assert!(Spec::parse(&line).is_ok(), "{line}");
        }
    }
}
