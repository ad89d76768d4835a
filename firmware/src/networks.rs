//! Trained networks, each a decoder that is pushed its input and hands out its output row by row.
//!
//! Networks and data come from `models/`; the build script turns every `model.json` into statics. A program sends each value that it computed and
//! what that cost; `bigpicture` sends its pictures as PPM files.

use crate::Board;
use crate::display::Part;
use crate::report::{Report, send};
use bytemuck::{Pod, bytes_of, cast_slice_mut};
use upconv::{Decoder, Element, Error, Input, Layer, Pointwise, Shape, Table8};

/// What was trained from one seed, and the data that go with it.
pub struct Seed {
    /// Each decoder in int8 and int16x8; `nearest` is followed by its folded form, called `folded`.
    pub networks: &'static [Network],
    /// The test inputs, [`samples`](Self::samples) times [`len`](Self::len) values.
    pub inputs: Inputs,
    /// How many test inputs there are.
    pub samples: usize,
    /// Values of an input.
    pub len: usize,
    /// How many of them a program decodes, unless it is told otherwise.
    pub shown: usize,
    /// ... and how many values of each.
    pub window: usize,
}

/// A decoder in one format, weights and all in flash.
pub struct Network {
    /// The decoder's name in the model.
    pub name: &'static str,
    /// Bytes of weights, biases and multipliers.
    pub flash: usize,
    /// Bytes of activations: all rings and one output row.
    pub ram: usize,
    /// ... when it runs layer by layer on whole tensors, a signal in pieces of its window.
    pub whole: usize,
    /// What it is made of.
    pub layers: Layers,
}

/// A planned decoder, and its layers but for joins, in order.
pub enum Layers {
    /// int8.
    Int8(&'static (dyn Rows<i8> + Sync), &'static [&'static (dyn Layer<i8> + Sync)]),
    /// int16 activations, int8 weights or, folded, int16 ones.
    Int16x8(&'static (dyn Rows<i16> + Sync), &'static [&'static (dyn Layer<i16> + Sync)]),
}

impl Network {
    /// The format's name in the model.
    pub fn format(&self) -> &'static str {
        match self.layers {
            Layers::Int8(..) => "int8",
            Layers::Int16x8(..) => "int16x8",
        }
    }

    /// Multiply-accumulates of one input, of a signal those of its window.
    pub fn macs(&self) -> u64 {
        match self.layers {
            Layers::Int8(_, layers) => layers.iter().map(|l| l.macs()).sum(),
            Layers::Int16x8(_, layers) => layers.iter().map(|l| l.macs()).sum(),
        }
    }
}

/// A [`Decoder`] of any number of nodes.
pub trait Rows<T> {
    /// See [`Decoder::output`]; of a signal the pattern's.
    fn output(&self) -> Shape;

    /// Decodes one input, of a signal without end any length, and hands each row to `each`. `memory` holds all rings and one row.
    ///
    /// # Errors
    /// What the decoder refuses: memory or a signal of the wrong length.
    fn decode(&self, x: &mut dyn Iterator<Item = T>, memory: &mut [T], each: &mut dyn FnMut(&[T]))
    -> Result<(), Error>;
}

/// Values that are pushed at a time.
const PIECE: usize = 16;

impl<T: Element + Sync, const N: usize> Rows<T> for Decoder<'_, T, N> {
    fn output(&self) -> Shape {
        Decoder::output(self)
    }

    fn decode(
        &self,
        x: &mut dyn Iterator<Item = T>,
        memory: &mut [T],
        each: &mut dyn FnMut(&[T]),
    ) -> Result<(), Error> {
        let (got, need) = (memory.len(), self.need());
        let Some((memory, row)) = memory.split_at_mut_checked(need) else {
            return Err(Error::Length { what: "the activations", got, need });
        };
        let mut inputs = [Input::Pushed];
        // Borrowed, because a move would be a second one on the stack.
        let mut bound = self.bind(&mut inputs, memory, row);
        let decoder = match &mut bound {
            Ok(decoder) => decoder,
            Err(error) => return Err(*error),
        };
        let mut piece = [T::default(); PIECE];
        loop {
            let mut len = 0;
            for (to, value) in piece.iter_mut().zip(&mut *x) {
                *to = value;
                len += 1;
            }
            let mut values = &piece[..len];
            while let Some(row) = decoder.push(&mut values) {
                each(row);
            }
            if len == 0 {
                break;
            }
        }
        decoder.finish()?;
        while let Some(row) = decoder.next_row() {
            each(row);
        }
        Ok(())
    }
}

/// Test inputs in either format.
pub enum Inputs {
    /// Raw values, those of int16 little-endian.
    Raw {
        /// int8.
        int8: &'static [u8],
        /// int16.
        int16: &'static [u8],
    },
    /// Grey bytes b: b - 128 in int8, 128 b in int16.
    Pictures(&'static [u8]),
}

/// A number that networks compute with.
pub trait Number: Element + Pod {
    /// The i-th value of all inputs.
    fn value(inputs: &Inputs, i: usize) -> Self;
}

impl Number for i8 {
    fn value(inputs: &Inputs, i: usize) -> i8 {
        match inputs {
            Inputs::Raw { int8, .. } => int8[i] as i8,
            Inputs::Pictures(grey) => (grey[i] ^ 0x80) as i8,
        }
    }
}

impl Number for i16 {
    fn value(inputs: &Inputs, i: usize) -> i16 {
        match inputs {
            Inputs::Raw { int16, .. } => i16::from_le_bytes([int16[2 * i], int16[2 * i + 1]]),
            Inputs::Pictures(grey) => i16::from(grey[i]) << 7,
        }
    }
}

impl Seed {
    /// The first `len` values of an input.
    pub fn input<T: Number>(&self, sample: usize, len: usize) -> impl Iterator<Item = T> {
        (sample * self.len..).take(len).map(|i| T::value(&self.inputs, i))
    }
}

/// Bytes of a report's data.
const DATA: usize = 128;

/// Decodes the shown inputs with every network, or as many inputs as the command line says, and reports each value and what it cost.
pub fn run(board: &mut impl Board, seed: &Seed, memory: &mut [u32]) {
    let mut samples = seed.shown;
    board.arguments(|_, argument| samples = argument.parse().unwrap_or(samples).min(seed.samples));
    for (i, network) in seed.networks.iter().enumerate() {
        match network.layers {
            Layers::Int8(rows, _) => report(board, seed, i, rows, samples, memory),
            Layers::Int16x8(rows, _) => report(board, seed, i, rows, samples, memory),
        }
    }
    send(board, &Report::Done);
}

fn report<B: Board, T: Number>(
    board: &mut B,
    seed: &Seed,
    network: usize,
    rows: &dyn Rows<T>,
    samples: usize,
    memory: &mut [u32],
) {
    let (mut data, mut len) = ([0; DATA], 0);
    let (index, ram) = (network as u8, seed.networks[network].ram);
    let flush = |board: &mut B, sample: usize, data: &[u8]| {
        if !data.is_empty() {
            send(board, &Report::Output { network: index, sample: sample as u8, data });
        }
    };
    let each = |board: &mut B, sample: usize, row: Option<&[T]>| {
        for byte in row.unwrap_or_default().iter().flat_map(bytes_of) {
            data[len] = *byte;
            len += 1;
            if len == DATA {
                flush(board, sample, &data);
                len = 0;
            }
        }
        if row.is_none() {
            flush(board, sample, &data[..len]);
            len = 0;
        }
    };
    let (instructions, stack) = measure(board, seed, rows, samples, memory, ram, each);
    let statics = board.statics() as u32;
    send(board, &Report::Decoded { network: index, instructions, stack, statics });
}

/// Decodes inputs and hands on the rows of each, None after the last one. Answers the instructions of one input, handing on not counted, and
/// the deepest stack but for `memory`, which lies on it.
fn measure<B: Board, T: Number>(
    board: &mut B,
    seed: &Seed,
    rows: &dyn Rows<T>,
    samples: usize,
    memory: &mut [u32],
    ram: usize,
    mut each: impl FnMut(&mut B, usize, Option<&[T]>),
) -> (u64, u32) {
    let words = size_of_val(memory);
    let memory = &mut cast_slice_mut::<_, T>(memory)[..ram / size_of::<T>()];
    let mut instructions = 0;
    board.paint_stack();
    for sample in 0..samples {
        let mut start = board.instructions();
        let mut x = seed.input(sample, seed.window);
        let decoded = rows.decode(&mut x, memory, &mut |row| {
            instructions += board.instructions() - start;
            each(board, sample, Some(row));
            start = board.instructions();
        });
        if let Err(e) = decoded {
            refused(e);
        }
        each(board, sample, None);
    }
    (instructions / samples.max(1) as u64, board.stack_peak().saturating_sub(words) as u32)
}

/// Decodes the shown inputs with one network and sends each as a PPM file, 16 bits a value where the network has them; then reports the cost.
pub fn pictures(board: &mut impl Board, seed: &Seed, network: usize, memory: &mut [u32]) {
    match seed.networks[network].layers {
        Layers::Int8(rows, _) => ppm(board, seed, network, rows, memory, b"255", |v| [(v ^ -128) as u8]),
        Layers::Int16x8(rows, _) => ppm(board, seed, network, rows, memory, b"32767", i16::to_be_bytes),
    }
}

fn ppm<B: Board, T: Number, const N: usize>(
    board: &mut B,
    seed: &Seed,
    network: usize,
    rows: &dyn Rows<T>,
    memory: &mut [u32],
    white: &[u8],
    grey: fn(T) -> [u8; N],
) {
    let (Shape { h, w, .. }, mut y) = (rows.output(), 0);
    let each = |board: &mut B, _, row: Option<&[T]>| {
        if y == 0 {
            [b"P6 ", &decimal(w)[..], b" ", &decimal(h)[..], b" ", white, b"\n"]
                .iter()
                .for_each(|part| board.send(part));
        }
        row.unwrap_or_default().iter().for_each(|v| board.send(&grey(*v)));
        y = if row.is_some() { y + 1 } else { 0 };
    };
    let (instructions, stack) = measure(board, seed, rows, seed.shown, memory, seed.networks[network].ram, each);
    let statics = board.statics() as u32;
    send(board, &Report::Decoded { network: network as u8, instructions, stack, statics });
    send(board, &Report::Done);
}

/// Three digits.
fn decimal(n: usize) -> [u8; 3] {
    [n / 100, n / 10, n].map(|n| b'0' + (n % 10) as u8)
}

/// The network whose pictures displays show: `k4s2p1` in int8.
pub struct Shown {
    /// Its decoder.
    pub rows: &'static (dyn Rows<i8> + Sync),
    /// Its test inputs.
    pub inputs: Inputs,
    /// Values of an input.
    pub len: usize,
    /// Bytes of activations.
    pub ram: usize,
    /// Turns outputs into brightness, if they are not that already.
    pub sigmoid: Option<Table8>,
}

/// The pixels of the widest row that is shown, times its channels.
const WIDEST: usize = 3 * 128;

impl Shown {
    /// The level of a value.
    pub fn level(&self, v: i8) -> u8 {
        self.sigmoid.as_ref().map_or(v, |table| table.at(v)) as u8 ^ 0x80
    }

    /// A test input.
    pub fn input(&self, sample: usize) -> impl Iterator<Item = i8> {
        (sample * self.len..).take(self.len).map(|i| i8::value(&self.inputs, i))
    }

    /// Decodes an input and hands out its rows.
    pub fn decode(&self, x: &mut dyn Iterator<Item = i8>, memory: &mut [i8], each: &mut dyn FnMut(&[i8])) {
        if let Err(e) = self.rows.decode(x, memory, each) {
            refused(e);
        }
    }

    /// Shows a row on a board's display.
    pub fn show(&self, board: &mut impl Board, part: Part, y: usize, row: &[i8]) {
        let mut levels = [0; WIDEST];
        levels.iter_mut().zip(row).for_each(|(level, v)| *level = self.level(*v));
        board.show(part, y, &levels[..row.len().min(WIDEST)]);
    }
}

/// Shows the first pictures side by side on the board's display, as many as the command line says, and waits until the host says anything: an emulated
/// display is gone when its program ends.
pub fn show(board: &mut impl Board, shown: &Shown, memory: &mut [i8]) {
    let mut of = 1;
    board.arguments(|_, argument| of = argument.parse().unwrap_or(of));
    for n in 0..of {
        let mut y = 0;
        shown.decode(&mut shown.input(n), memory, &mut |row| {
            shown.show(board, Part { shape: shown.rows.output(), n, of }, y, row);
            y += 1;
        });
    }
    send(board, &Report::Shown);
    while board.receive().is_none() {}
    send(board, &Report::Done);
}

/// Apart, because its text would lie on the stack of every run.
#[cold]
#[inline(never)]
fn refused(error: Error) -> ! {
    panic!("{}", error.message().as_str())
}

/// Words of memory for any of these networks.
#[allow(dead_code)] // without a demo
const fn words(networks: &[Network]) -> usize {
    let (mut most, mut i) = (0, 0);
    while i < networks.len() {
        let words = networks[i].ram.div_ceil(4);
        most = if words > most { words } else { most };
        i += 1;
    }
    most
}

/// `N` weights, as they lie in a file.
#[allow(dead_code)] // without a demo
const fn signed<const N: usize>(bytes: &[u8], from: usize) -> [i8; N] {
    let (mut weights, mut i) = ([0; N], 0);
    while i < N {
        weights[i] = bytes[from + i] as i8;
        i += 1;
    }
    weights
}

/// What the build script makes of `models/$task`, and the program that runs it.
macro_rules! task {
    ($(#[$doc:meta])+ $task:ident) => {
        $(#[$doc])+
        #[allow(long_running_const_eval, missing_docs, unused_imports)]
        pub mod $task {
            use super::{Inputs, Layers, Network, Seed, Shown, signed};
            #[cfg(not(target_os = "none"))]
            use std::sync::LazyLock;
            use upconv::*;

            include!(concat!(env!("OUT_DIR"), "/", stringify!($task), ".rs"));
        }
    };
}

task! {
    /// Handwritten digits, 28x28, from codes of 16 numbers.
    digits
}

task! {
    /// Nuclei in microscope pictures, 64x64, found by a U-Net.
    nuclei
}

task! {
    /// An electrocardiogram from 4 numbers for every 16 samples, a signal without end.
    ecg
}

task! {
    /// Photographs, 128x128 in colour, from codes of 12 numbers.
    bigpicture
}

/// The same in int16x8.
pub mod bigpicture16 {
    pub use super::bigpicture::run_wide as run;
}

/// Pictures on the board's display.
macro_rules! shown {
    ($($module:ident: $task:ident),+) => {
        $(
            /// Pictures of this task on the board's display.
            pub mod $module {
                pub use super::$task::show as run;
            }
        )+
    };
}

shown!(digits_shown: digits, nuclei_shown: nuclei, bigpicture_shown: bigpicture);
