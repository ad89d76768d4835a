//! A layer in one line of words: [`Spec::parse`], the same on a device and on the host. [`GRAMMAR`] says how it is written.

use core::fmt;
use upconv::{Coordinates, Fill, Geometry, Padding, Shape, ShuffleOrder};

/// How a layer is written.
pub const GRAMMAR: &str = "\
conv_transpose HxWxC kK cN [sS] [pP] [opO] [dD] [gG] [i8|i16x8|i8x16] [rows]
conv           HxWxC kK cN [sS] [pP] [dD] [gG] [i8|i16x8|i8x16] [rows]
fold nearestF+convK HxWxC cN [pP] [gG] [rows]
upsample nearest|bilinear|bicubic|area HxWxC HxW [half_pixel|align_corners|asymmetric|
               pytorch_half_pixel|half_pixel_symmetric] [tflite] [i8|i16] [rows]
depth_to_space HxWxC R [dcr|crd] [i8|i16] [rows]
pad            HxWxC P [reflect|replicate|wrap] [i8|i16] [rows]
unpool         HxWxC kK [sS] [pP] [i8|i16] [rows]
table          HxWxC [i8|i16] [rows]
add            HxWxC [i8|i16] [rows]
concat         HxWxC cN [i8|i16] [rows]
decoder        chain|stage|signal [rows]

HxWxC is the input, cN the output channels (of concat the second input's), HxW the output of a resize.
K, S, O, D, F, R are one number for both axes, or HEIGHTxWIDTH (op also HEIGHT,WIDTH).
P is one number for all edges, or TOP,LEFT,BOTTOM,RIGHT.
Without a word: s1 p0 op0 d1 g1 i8; fold p(K-1)/2; unpool s the kernel; half_pixel, nearest asymmetric; dcr.
i16x8 has int16 activations and int8 weights, i8x16 int8 activations and int16 weights.
pad repeats the zero point without a word, table is a sigmoid; add and concat read inputs of different scales.
tflite rounds a bilinear resize as TFLite does; rows hands out row by row what is else one whole tensor; of a decoder every tensor.
chain is four transposed convolutions (k4 s2 p1), 4x4x64 to 64x64x1; stage a U-Net's with its skip, 16x16x16 and
32x32x8 to 32x32x8; signal the ECG's decoder k4s2p1, 128 codes to 2048 samples, all pushed at once.";

/// A layer to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spec {
    /// What it computes.
    pub operator: Operator,
    /// Its input's shape.
    pub input: Shape,
    /// Its numbers.
    pub numbers: Numbers,
    /// Row by row instead of as a whole tensor.
    pub rows: bool,
}

/// What a layer computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// A convolution, or a transposed one.
    Convolution {
        /// A transposed one.
        transposed: bool,
        /// Output channels.
        channels: usize,
        /// Kernel, stride and the rest.
        geometry: Geometry,
    },
    /// A nearest upsample folded into the convolution after it.
    Fold {
        /// By what it repeats rows and columns.
        factor: [usize; 2],
        /// Output channels.
        channels: usize,
        /// The convolution's.
        geometry: Geometry,
    },
    /// A resize.
    Resize {
        /// How it interpolates.
        mode: Mode,
        /// Output height and width.
        to: [usize; 2],
        /// Where it samples.
        coordinates: Coordinates,
        /// With TFLite's numbers.
        tflite: bool,
    },
    /// Channels moved into space.
    DepthToSpace {
        /// Block height and width.
        block: [usize; 2],
        /// Order of the channels.
        order: ShuffleOrder,
    },
    /// Rows and columns added around, and what stands there.
    Pad {
        /// How many.
        padding: Padding,
        /// The zero point, or pixels of the input.
        fill: Fill<()>,
    },
    /// Maxima back where they were.
    Unpool {
        /// The pooling's.
        geometry: Geometry,
    },
    /// A function that is looked up.
    Table,
    /// The sum of two inputs.
    Add,
    /// Another input beside the first.
    Concat {
        /// Its channels.
        channels: usize,
    },
    /// A whole decoder.
    Decoder(Network),
}

/// A decoder of [`chain`](crate::chain).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// Four transposed convolutions.
    Chain,
    /// A stage of a U-Net.
    Stage,
    /// A signal without end.
    Signal,
}

/// How a resize interpolates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Nearest neighbour.
    Nearest,
    /// Bilinear.
    Bilinear,
    /// Bicubic, A = -0.75.
    Bicubic,
    /// Mean over an area.
    Area,
}

/// Types of activations and weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbers {
    /// int8 activations and weights.
    I8,
    /// int16 activations; where there are weights these are int8, with 64-bit biases.
    I16,
    /// int8 activations, int16 weights.
    I8x16,
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpecError<'a> {
    /// A word that is not what belongs there.
    Word {
        /// The word.
        word: &'a str,
        /// What belongs there.
        expected: &'static str,
    },
    /// A word that says again what another has said.
    Twice {
        /// The word.
        word: &'a str,
    },
    /// The line ends too early.
    Missing {
        /// What is missing.
        expected: &'static str,
    },
}

impl fmt::Display for SpecError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SpecError::Word { word, expected } => write!(f, "`{word}` stands where {expected} is expected"),
            SpecError::Twice { word } => write!(f, "`{word}` says again what another word has said"),
            SpecError::Missing { expected } => write!(f, "{expected} is missing"),
        }
    }
}

impl core::error::Error for SpecError<'_> {}

const OPERATOR: &str =
    "conv_transpose, conv, fold, upsample, depth_to_space, pad, unpool, table, add, concat or decoder";
const KERNEL: &str = "the kernel, a word such as k3x3,";
const INPUT: &str = "an input shape such as 8x8x64";
const CONVOLUTION: &str = "one of the words kK, sS, pP, opO, dD, gG, cN, i8, i16x8, i8x16 and rows";
const PLAIN: &str = "one of the words kK, sS, pP, dD, gG, cN, i8, i16x8, i8x16 and rows";
const FOLD: &str = "nearestF+convK such as nearest2+conv3x3";
const FOLDED: &str = "one of the words cN, pP, gG, i8 and rows";
const RESIZE: &str = "one of the words half_pixel, align_corners, asymmetric, pytorch_half_pixel, half_pixel_symmetric, tflite, i8, i16 and rows";
const DECODER: &str = "chain, stage or signal";
const PADS: &str = "a padding such as 1 or 1,2,1,2";
const PADDED: &str = "one of the words reflect, replicate, wrap, i8, i16 and rows";
const UNPOOL: &str = "one of the words kK, sS, pP, i8, i16 and rows";
const POINTWISE: &str = "one of the words i8, i16 and rows";
const CONCAT: &str = "one of the words cN, i8, i16 and rows";
const SHUFFLE: &str = "one of the words dcr, crd, i8, i16 and rows";

impl Spec {
    /// Reads a line.
    ///
    /// # Errors
    /// [`SpecError`] names the first word that does not belong there, or what is missing.
    pub fn parse(line: &str) -> Result<Spec, SpecError<'_>> {
        let mut words = line.split_ascii_whitespace();
        let mut next = |expected| words.next().ok_or(SpecError::Missing { expected });
        let word = next(OPERATOR)?;
        match word {
            "conv_transpose" | "conv" => {
                let transposed = word == "conv_transpose";
                let expected = if transposed { CONVOLUTION } else { PLAIN };
                let input = read(next(INPUT)?, INPUT, shape)?;
                let mut options = Options::read(words, expected, |kind| {
                    use Kind::*;
                    matches!(kind, Kernel | Stride | Padding | Dilation | Groups | Channels | Numbers | Rows)
                        || transposed && kind == OutputPadding
                })?;
                options.geometry.kernel = options.kernel.ok_or(SpecError::Missing { expected: KERNEL })?;
                let (channels, geometry) = (options.channels()?, options.geometry);
                options.spec(Operator::Convolution { transposed, channels, geometry }, input, expected)
            }
            "fold" => {
                let (factor, kernel) = read(next(FOLD)?, FOLD, |word| {
                    let (nearest, conv) = word.split_once('+')?;
                    Some((pair(nearest.strip_prefix("nearest")?)?, pair(conv.strip_prefix("conv")?)?))
                })?;
                let input = read(next(INPUT)?, INPUT, shape)?;
                let mut options = Options::read(words, FOLDED, |kind| {
                    matches!(kind, Kind::Channels | Kind::Padding | Kind::Groups | Kind::Numbers | Kind::Rows)
                })?;
                if !options.has(Kind::Padding) {
                    let [y, x] = kernel.map(|k| k.saturating_sub(1) / 2);
                    options.geometry.padding = Padding { top: y, left: x, bottom: y, right: x };
                }
                options.geometry.kernel = kernel;
                let (channels, geometry) = (options.channels()?, options.geometry);
                options.spec(Operator::Fold { factor, channels, geometry }, input, FOLDED)
            }
            "upsample" => {
                const MODE: &str = "nearest, bilinear, bicubic or area";
                const TO: &str = "an output size such as 16x16";
                let mode = read(next(MODE)?, MODE, |word| match word {
                    "nearest" => Some(Mode::Nearest),
                    "bilinear" => Some(Mode::Bilinear),
                    "bicubic" => Some(Mode::Bicubic),
                    "area" => Some(Mode::Area),
                    _ => None,
                })?;
                let input = read(next(INPUT)?, INPUT, shape)?;
                let to = read(next(TO)?, TO, |word| numbers(word, 'x'))?;
                let options = Options::read(words, RESIZE, |kind| match kind {
                    Kind::Coordinates => mode != Mode::Area,
                    Kind::Tflite => mode == Mode::Bilinear,
                    _ => matches!(kind, Kind::Numbers | Kind::Rows),
                })?;
                let default = if mode == Mode::Nearest { Coordinates::Asymmetric } else { Coordinates::HalfPixel };
                let coordinates = options.coordinates.unwrap_or(default);
                let tflite = options.has(Kind::Tflite);
                options.spec(Operator::Resize { mode, to, coordinates, tflite }, input, RESIZE)
            }
            "depth_to_space" => {
                const BLOCK: &str = "a block size such as 2";
                let input = read(next(INPUT)?, INPUT, shape)?;
                let block = read(next(BLOCK)?, BLOCK, pair)?;
                let options =
                    Options::read(words, SHUFFLE, |kind| matches!(kind, Kind::Order | Kind::Numbers | Kind::Rows))?;
                let order = options.order;
                options.spec(Operator::DepthToSpace { block, order }, input, SHUFFLE)
            }
            "pad" => {
                let input = read(next(INPUT)?, INPUT, shape)?;
                let padding = read(next(PADS)?, PADS, edges)?;
                let options =
                    Options::read(words, PADDED, |kind| matches!(kind, Kind::Fill | Kind::Numbers | Kind::Rows))?;
                let fill = options.fill;
                options.spec(Operator::Pad { padding, fill }, input, PADDED)
            }
            "unpool" => {
                let input = read(next(INPUT)?, INPUT, shape)?;
                let options = Options::read(words, UNPOOL, |kind| {
                    matches!(kind, Kind::Kernel | Kind::Stride | Kind::Padding | Kind::Numbers | Kind::Rows)
                })?;
                let mut geometry = options.geometry;
                geometry.kernel = options.kernel.ok_or(SpecError::Missing { expected: KERNEL })?;
                if !options.has(Kind::Stride) {
                    geometry.stride = geometry.kernel;
                }
                options.spec(Operator::Unpool { geometry }, input, UNPOOL)
            }
            "table" | "add" => {
                let input = read(next(INPUT)?, INPUT, shape)?;
                let options = Options::read(words, POINTWISE, |kind| matches!(kind, Kind::Numbers | Kind::Rows))?;
                let operator = if word == "add" { Operator::Add } else { Operator::Table };
                options.spec(operator, input, POINTWISE)
            }
            "concat" => {
                let input = read(next(INPUT)?, INPUT, shape)?;
                let options =
                    Options::read(words, CONCAT, |kind| matches!(kind, Kind::Channels | Kind::Numbers | Kind::Rows))?;
                let channels = options.channels()?;
                options.spec(Operator::Concat { channels }, input, CONCAT)
            }
            "decoder" => {
                const ROWS: &str = "the word rows";
                let (network, input) = read(next(DECODER)?, DECODER, |word| match word {
                    "chain" => Some((Network::Chain, Shape::new(4, 4, 64))),
                    "stage" => Some((Network::Stage, Shape::new(16, 16, 16))),
                    "signal" => Some((Network::Signal, Shape::new(128, 1, 4))),
                    _ => None,
                })?;
                Options::read(words, ROWS, |kind| kind == Kind::Rows)?.spec(Operator::Decoder(network), input, ROWS)
            }
            _ => Err(SpecError::Word { word, expected: OPERATOR }),
        }
    }
}

/// What an optional word is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Kernel,
    Stride,
    Padding,
    OutputPadding,
    Dilation,
    Groups,
    Channels,
    Numbers,
    Rows,
    Coordinates,
    Tflite,
    Order,
    Fill,
}

/// What the words in free order say.
struct Options<'a> {
    seen: u32,
    kernel: Option<[usize; 2]>,
    geometry: Geometry,
    channels: Option<usize>,
    numbers: &'a str,
    coordinates: Option<Coordinates>,
    order: ShuffleOrder,
    fill: Fill<()>,
}

impl<'a> Options<'a> {
    fn read(
        words: impl Iterator<Item = &'a str>,
        expected: &'static str,
        allowed: impl Fn(Kind) -> bool,
    ) -> Result<Self, SpecError<'a>> {
        let mut options = Options {
            seen: 0,
            kernel: None,
            geometry: Geometry::square(1),
            channels: None,
            numbers: "i8",
            coordinates: None,
            order: ShuffleOrder::Dcr,
            fill: Fill::Value(()),
        };
        for word in words {
            let kind = options.word(word).filter(|kind| allowed(*kind)).ok_or(SpecError::Word { word, expected })?;
            if options.has(kind) {
                return Err(SpecError::Twice { word });
            }
            options.seen |= 1 << kind as u32;
        }
        Ok(options)
    }

    fn has(&self, kind: Kind) -> bool {
        self.seen & 1 << kind as u32 != 0
    }

    /// Takes in what a word says; `None` when it is no such word.
    fn word(&mut self, word: &'a str) -> Option<Kind> {
        let coordinates = match word {
            "half_pixel" => Coordinates::HalfPixel,
            "align_corners" => Coordinates::AlignCorners,
            "asymmetric" => Coordinates::Asymmetric,
            "pytorch_half_pixel" => Coordinates::PytorchHalfPixel,
            "half_pixel_symmetric" => Coordinates::HalfPixelSymmetric,
            _ => return self.other(word),
        };
        self.coordinates = Some(coordinates);
        Some(Kind::Coordinates)
    }

    fn other(&mut self, word: &'a str) -> Option<Kind> {
        match word {
            "i8" | "i16" | "i16x8" | "i8x16" => {
                self.numbers = word;
                return Some(Kind::Numbers);
            }
            "rows" => return Some(Kind::Rows),
            "tflite" => return Some(Kind::Tflite),
            "reflect" | "replicate" | "wrap" => {
                self.fill = match word {
                    "reflect" => Fill::Reflect,
                    "replicate" => Fill::Replicate,
                    _ => Fill::Wrap,
                };
                return Some(Kind::Fill);
            }
            "dcr" => return Some(Kind::Order),
            "crd" => {
                self.order = ShuffleOrder::Crd;
                return Some(Kind::Order);
            }
            _ => {}
        }
        let digits = word.find(|c: char| c.is_ascii_digit())?;
        let (letters, value) = word.split_at(digits);
        let g = &mut self.geometry;
        match letters {
            "k" => self.kernel = Some(pair(value)?),
            "s" => g.stride = pair(value)?,
            "d" => g.dilation = pair(value)?,
            "op" => g.output_padding = pair(value).or_else(|| numbers(value, ','))?,
            "p" => g.padding = edges(value)?,
            "g" => g.groups = value.parse().ok()?,
            "c" => self.channels = Some(value.parse().ok()?),
            _ => return None,
        }
        Some(match letters {
            "k" => Kind::Kernel,
            "s" => Kind::Stride,
            "d" => Kind::Dilation,
            "op" => Kind::OutputPadding,
            "p" => Kind::Padding,
            "g" => Kind::Groups,
            _ => Kind::Channels,
        })
    }

    fn channels(&self) -> Result<usize, SpecError<'a>> {
        self.channels.ok_or(SpecError::Missing { expected: "the number of output channels, a word such as c32," })
    }

    fn spec(self, operator: Operator, input: Shape, expected: &'static str) -> Result<Spec, SpecError<'a>> {
        let weights = matches!(operator, Operator::Convolution { .. });
        let numbers = match self.numbers {
            "i8" => Numbers::I8,
            "i16x8" if weights => Numbers::I16,
            "i8x16" if weights => Numbers::I8x16,
            "i16" if !weights && !matches!(operator, Operator::Fold { .. }) => Numbers::I16,
            word => return Err(SpecError::Word { word, expected }),
        };
        Ok(Spec { operator, input, numbers, rows: self.has(Kind::Rows) })
    }
}

fn read<'a, T>(
    word: &'a str,
    expected: &'static str,
    parse: impl FnOnce(&'a str) -> Option<T>,
) -> Result<T, SpecError<'a>> {
    parse(word).ok_or(SpecError::Word { word, expected })
}

/// Exactly N numbers.
fn numbers<const N: usize>(word: &str, separator: char) -> Option<[usize; N]> {
    let mut all = [0; N];
    let mut parts = word.split(separator);
    for n in &mut all {
        *n = parts.next()?.parse().ok()?;
    }
    parts.next().is_none().then_some(all)
}

/// `3` or `3x5`.
fn pair(word: &str) -> Option<[usize; 2]> {
    match word.parse() {
        Ok(n) => Some([n; 2]),
        Err(_) => numbers(word, 'x'),
    }
}

/// `1` or `1,2,3,4`.
fn edges(word: &str) -> Option<Padding> {
    let [top, left, bottom, right] = match word.parse() {
        Ok(p) => [p; 4],
        Err(_) => numbers(word, ',')?,
    };
    Some(Padding { top, left, bottom, right })
}

fn shape(word: &str) -> Option<Shape> {
    numbers(word, 'x').map(|[h, w, c]| Shape::new(h, w, c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_line_says_the_same_as_a_full_one() {
        let full = Spec::parse("conv_transpose 8x8x64 k2x2 s2x2 p0,0,0,0 op0,0 d1 g1 c32 i8").unwrap();
        assert_eq!(Spec::parse("conv_transpose 8x8x64 c32 k2 s2"), Ok(full));
        let geometry = Geometry::square(2).stride(2, 2);
        let operator = Operator::Convolution { transposed: true, channels: 32, geometry };
        assert_eq!(full, Spec { operator, input: Shape::new(8, 8, 64), numbers: Numbers::I8, rows: false });

        assert_eq!(
            Spec::parse("upsample bilinear 8x8x32 16x16 half_pixel"),
            Spec::parse("upsample bilinear 8x8x32 16x16")
        );
        assert_eq!(Spec::parse("upsample nearest 8x8x3 9x9 asymmetric"), Spec::parse("upsample nearest 8x8x3 9x9"));

        let fold = Spec::parse("fold nearest2+conv3x3 16x16x32 c8 rows").unwrap();
        let geometry = Geometry::square(3).pad(1);
        assert_eq!(fold.operator, Operator::Fold { factor: [2, 2], channels: 8, geometry });
        assert!(fold.rows);
        let padding = Padding { top: 1, left: 2, bottom: 3, right: 4 };
        let pad = Spec::parse("pad 5x6x7 1,2,3,4 reflect i16").unwrap();
        assert_eq!((pad.operator, pad.numbers), (Operator::Pad { padding, fill: Fill::Reflect }, Numbers::I16));
        assert_eq!(Spec::parse("unpool 5x6x7 k2x3"), Spec::parse("unpool 5x6x7 k2x3 s2x3 p0 i8"));
        assert_eq!(Spec::parse("concat 5x6x7 c2 rows").unwrap().operator, Operator::Concat { channels: 2 });
        let Ok(Spec { operator: Operator::Convolution { geometry, .. }, numbers, .. }) =
            Spec::parse("conv 5x6x7 k1x3 p1,2,3,4 d2x3 c1 i16x8")
        else {
            panic!("it is a convolution")
        };
        assert_eq!((geometry, numbers), (Geometry::new(1, 3).padding(padding).dilation(2, 3), Numbers::I16));
    }

    #[test]
    fn the_first_wrong_word_is_named() {
        let says = |line: &str| Spec::parse(line).map_err(|e| std::format!("{e}")).unwrap_err();
        assert_eq!(says("conv 8x8 k3 c1"), format!("`8x8` stands where {INPUT} is expected"));
        assert_eq!(says("conv 8x8x1 k3 k5 c1"), "`k5` says again what another word has said");
        assert_eq!(says("conv 8x8x1 k3"), "the number of output channels, a word such as c32, is missing");
        assert_eq!(says("conv 8x8x1 c1"), "the kernel, a word such as k3x3, is missing");
        assert_eq!(says(""), format!("{OPERATOR} is missing"));
        let wrong = [
            ("transpose 8x8x1", "transpose"),
            ("pad 8x8x1 1,1", "1,1"),
            ("pad 8x8x1 1 zero", "zero"),
            ("unpool 8x8x1 k2 d2", "d2"),
            ("table 8x8x1 c2", "c2"),
            ("add 8x8x1 i16x8", "i16x8"),
            ("concat 8x8x1 c2 k1", "k1"),
            ("conv 8x8x1 k3x3x3 c1", "k3x3x3"),
            ("conv 8x8x1 k3 op1 c1", "op1"),
            ("conv 8x8x1 k3 p1,1 c1", "p1,1"),
            ("conv 8x8x1 k3 c1 i16", "i16"),
            ("conv 8x8x1 k-3 c1", "k-3"),
            ("fold nearest2+conv 8x8x1 c1", "nearest2+conv"),
            ("fold nearest2+conv3 8x8x1 c1 i16x8", "i16x8"),
            ("upsample linear 8x8x1 16x16", "linear"),
            ("upsample area 8x8x1 16x16 half_pixel", "half_pixel"),
            ("upsample bilinear 8x8x1 16", "16"),
            ("upsample nearest 8x8x1 16x16 tflite", "tflite"),
            ("depth_to_space 8x8x4 2 dcr crd", "crd"),
            ("decoder unet", "unet"),
            ("decoder chain i16", "i16"),
        ];
        for (line, word) in wrong {
            assert!(says(line).starts_with(&format!("`{word}` ")), "{line}: {}", says(line));
        }
    }
}
