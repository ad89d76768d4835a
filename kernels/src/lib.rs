//! Upsampling and transposed convolution in fixed point, for the decoder half of neural networks on microcontrollers.
//!
//! Every operator is used in three steps:
//!
//! - **plan** does all the thinking, at compile time if you like ([`must!`]): geometry, weight packing, the proof
//!   that no accumulator overflows. It answers bad input with an [`Error`] that says what, which and by how much.
//! - **bind** attaches memory that the caller owns and checks every length once ([`Bound`]).
//! - **run** or **next_row** cannot fail, panic, allocate, divide or touch a float.
//!
//! Tensors are NHWC with N = 1, values are `i8` or `i16` with a scale and a zero point, and every operator computes one output
//! row from a window of input rows ([`Layer`]): from a whole tensor, or from a ring that keeps just the rows still needed. A [`Decoder`] is a
//! network of them that never holds a whole tensor.
//!
//! ```
//! use upconv::*;
//!
//! const PLAN: Plan = must!(ConvTranspose::plan(Shape::new(2, 2, 1), 1, Geometry::square(2).stride(2, 2)));
//! static WEIGHTS: [i8; 4] = must!(PLAN.pack(&[1, 2, 3, 4], WeightOrder::Torch));
//! static SCALES: [Multiplier; 1] = must!(Multiplier::per_channel(0.5, &[1.0], 0.5));
//! static UP: Convolution<i8> = must!(Weights { packed: &WEIGHTS, bias: &[0i32] }.layer(
//!     &PLAN,
//!     Quantization {
//!         x: Quant::new(0.5, 0),
//!         y: Quant::new(0.5, 0),
//!         multipliers: &SCALES,
//!         activation: Activation::Relu,
//!         rounding: Rounding::TfliteDouble,
//!     },
//! ));
//!
//! let mut y = [0; 16];
//! Bound::whole(&UP, &[1, 2, -3, 4], &mut y)?.run();
//! assert_eq!(y, [1, 2, 2, 4, 3, 4, 6, 8, 0, 0, 4, 8, 0, 0, 12, 16]);
//! # Ok::<(), Error>(())
//! ```
//!
//! The map, in the order to read it: `shape` and `element` are plain data, `quant` turns scales into integers, `phase` and `coords`
//! hold all index arithmetic. `plan` orders weights, `conv`, `single` (rows of one pixel), `depthwise`, `conv_transpose`, `fold`, `columns` (a fold of int8 weights), `upsample`, `pixel_shuffle`, `unpool`, `pad`,
//! `join` and `activation` are the operators, `rows` drives one of them, `decoder` chains them on static memory, `reads` tells plans which rows
//! each reads, `arch` holds the inner loops, `sink` sends rows to buses.
//!
//! Features, none by default: `defmt` ([`defmt::Format`](https://docs.rs/defmt) for [`Error`] and for the plain numbers that plans are made of), `embedded-hal` (`sink`: rows to SPI,
//! I2C and writers), `fixed` (`FixedI8` and `FixedI16` of that crate as [`Element`]s), `micromath` (real numbers on the device: `Quant::quantize`, `Quant::dequantize`, `sigmoid`).

#![cfg_attr(not(test), no_std)]
#![deny(unsafe_code)]

/// The example of the package's README is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod activation;
mod arch;
mod columns;
mod conv;
mod conv_transpose;
mod coords;
mod decoder;
mod depthwise;
mod element;
mod error;
mod fold;
mod join;
mod pad;
mod phase;
mod pixel_shuffle;
mod plan;
mod quant;
mod reads;
#[cfg(feature = "micromath")]
mod real;
mod rows;
mod shape;
mod single;
#[cfg(feature = "embedded-hal")]
pub mod sink;
mod unpool;
mod upsample;

pub use activation::{Elementwise, Gate16, LeakyRelu, Pointwise, Requantize, Table8, Table16};
pub use columns::Columns;
pub use conv::{Conv, Convolution, Quantization, Weights};
pub use conv_transpose::ConvTranspose;
pub use coords::{Coordinates, Ratio, Resize};
pub use decoder::{BoundDecoder, Decoder, Input, Node, RowSink, RowSource, SendError};
pub use element::Element;
pub use error::{Error, Message};
pub use fold::{BatchNorm, FoldNearest, SubPixel, crd_to_dcr, quantize_bias, quantize_bias_wide};
pub use join::{Add, Along, BoundJoin, Concat, Join, Mul, Operands, Product, Sub, Sum};
pub use pad::{Fill, Pad};
pub use pixel_shuffle::{PixelShuffle, PixelUnshuffle, ShuffleOrder};
pub use plan::{Plan, WeightOrder};
pub use quant::{Accumulator, Activation, Multiplier, Quant, Rounding};
#[cfg(feature = "micromath")]
pub use real::sigmoid;
pub use rows::{Bound, Layer, Window};
pub use shape::{Geometry, MAX_SIDE, Padding, Same, Shape};
pub use unpool::{FlatIndex, MaxUnpool, Unpool};
pub use upsample::{
    Area, Bicubic, Bilinear, Cubic, Gather, Nearest, NearestMode, Numerics, Upsample, tflite_nearest, torch_nearest,
    torch_nearest_exact,
};
