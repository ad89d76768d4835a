//! What can be wrong with a plan, said once: which quantity, what it is and what it may be.
//!
//! The text is made by `const` code, so that a `const` plan fails to compile with the very sentence that
//! a run-time plan displays (see [`must!`](crate::must)).

use core::fmt;

/// Why a plan or a binding was refused.
///
/// ```
/// use upconv::{ConvTranspose, Error, Geometry, Shape};
/// let refused = ConvTranspose::plan(Shape::new(4, 4, 8), 8, Geometry::square(3).stride(0, 2));
/// assert_eq!(refused.unwrap_err(), Error::Zero { what: "stride height" });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Error {
    /// A size that has to be at least 1 is 0.
    Zero {
        /// Which size.
        what: &'static str,
    },
    /// A value lies outside its range.
    Range {
        /// Which value.
        what: &'static str,
        /// The value.
        got: i64,
        /// The smallest value allowed.
        min: i64,
        /// The largest value allowed.
        max: i64,
    },
    /// A slice has another length than its shape asks for (in elements).
    Length {
        /// Which slice.
        what: &'static str,
        /// Its length.
        got: usize,
        /// The length it must have.
        need: usize,
    },
    /// One number does not divide another, as channels and groups have to.
    NotDivisible {
        /// Which number.
        what: &'static str,
        /// Its value.
        got: usize,
        /// The number that should divide it.
        by: usize,
    },
    /// The geometry leaves no output along an axis: the formula gives `size`, which is below 1.
    NoOutput {
        /// `"height"` or `"width"`.
        axis: &'static str,
        /// What the output-size formula gives.
        size: i64,
    },
    /// An accumulator of this output channel could leave its type:
    /// |bias| + Σ|w|·max|x − zero| reaches `bound`, and `max` is the most it may be.
    Overflow {
        /// The first such output channel.
        channel: usize,
        /// The bound that was found.
        bound: u64,
        /// The largest bound that is safe.
        max: u64,
    },
    /// A scale that is not a finite number above zero, or a ratio of scales of 2³⁰ and more.
    Scale {
        /// Which scale.
        what: &'static str,
    },
    /// A node of a decoder that does not fit the others.
    Node {
        /// Its place in the list, from 0.
        node: usize,
        /// What is counted.
        what: &'static str,
        /// How many there are.
        got: usize,
        /// How many there must be.
        need: usize,
    },
    /// A decoder that needs more memory than there is.
    Memory {
        /// The bytes that it needs.
        need: usize,
        /// The bytes that there are.
        bytes: usize,
    },
    /// A decoder whose input ended, or has no more for now, before all output rows were computed.
    Rows {
        /// The rows that were computed.
        got: usize,
        /// The rows that the output has.
        need: usize,
    },
    /// A combination that upconv does not offer.
    Unsupported {
        /// Which.
        what: &'static str,
    },
}

impl Error {
    /// The sentence that [`Display`](fmt::Display) prints, available in `const` code.
    #[cold]
    pub const fn message(&self) -> Message {
        let m = Message::new();
        match *self {
            Error::Zero { what } => m.str(what).str(" is 0; it must be at least 1"),
            Error::Range { what, got, min, max } => {
                m.str(what).str(" is ").int(got).str("; it must lie in ").int(min).str(" ..= ").int(max)
            }
            Error::Length { what, got, need } => {
                m.str(what).str(": ").uint(got as u64).str(" elements, but it needs ").uint(need as u64)
            }
            Error::NotDivisible { what, got, by } => {
                m.str(what).str(" is ").uint(got as u64).str("; it must be a multiple of ").uint(by as u64)
            }
            Error::NoOutput { axis, size } => {
                m.str("the geometry leaves no output: ").str(axis).str(" would be ").int(size)
            }
            Error::Overflow { channel, bound, max } => m
                .str("the accumulator of output channel ")
                .uint(channel as u64)
                .str(" could reach ")
                .uint(bound)
                .str("; at most ")
                .uint(max)
                .str(" is safe"),
            Error::Node { node, what, got, need } => m
                .str("node ")
                .uint(node as u64)
                .str(": ")
                .uint(got as u64)
                .str(" ")
                .str(what)
                .str(", but it needs ")
                .uint(need as u64),
            Error::Memory { need, bytes } => m
                .str("the decoder needs ")
                .uint(need as u64)
                .str(" bytes of RAM, ")
                .uint(need.saturating_sub(bytes) as u64)
                .str(" more than there are"),
            Error::Rows { got, need } => m
                .str("an input has no more rows: ")
                .uint(got as u64)
                .str(" of ")
                .uint(need as u64)
                .str(" output rows were computed"),
            Error::Unsupported { what } => m.str(what).str(" is not supported"),
            Error::Scale { what } => m.str(what).str(" must be finite, above 0 and below 2^30"),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message().as_str())
    }
}

impl core::error::Error for Error {}

/// A short text on the stack; see [`Error::message`].
#[derive(Clone, Copy)]
pub struct Message {
    text: [u8; Self::ROOM],
    len: usize,
}

impl Message {
    /// The longest sentence above with all its numbers at their widest fits.
    const ROOM: usize = 160;

    const fn new() -> Self {
        Message { text: [0; Self::ROOM], len: 0 }
    }

    const fn byte(mut self, b: u8) -> Self {
        if self.len < Self::ROOM {
            self.text[self.len] = b;
            self.len += 1;
        }
        self
    }

    const fn str(mut self, s: &str) -> Self {
        let (s, mut i) = (s.as_bytes(), 0);
        while i < s.len() {
            self = self.byte(s[i]);
            i += 1;
        }
        self
    }

    const fn int(self, v: i64) -> Self {
        let signed = if v < 0 { self.byte(b'-') } else { self };
        signed.uint(v.unsigned_abs())
    }

    const fn uint(mut self, v: u64) -> Self {
        // Not counted upwards, where the compiler cannot rule out a wrap to 0 and a division by it.
        let mut ten = 10_000_000_000_000_000_000;
        while ten > 1 && ten > v {
            ten /= 10;
        }
        while ten > 0 {
            self = self.byte(b'0' + (v / ten % 10) as u8);
            ten /= 10;
        }
        self
    }

    /// The text.
    pub const fn as_str(&self) -> &str {
        let (text, _) = match self.text.split_at_checked(self.len) {
            Some(halves) => halves,
            None => (self.text.as_slice(), self.text.as_slice()),
        };
        match core::str::from_utf8(text) {
            Ok(s) => s,
            Err(_) => "",
        }
    }
}

/// Evaluates a `Result<_, upconv::Error>` at compile time: the value, or a compile error with the message.
///
/// ```
/// use upconv::{must, ConvTranspose, Geometry, Plan, Shape};
/// const UP: Plan = must!(ConvTranspose::plan(Shape::new(4, 4, 8), 3, Geometry::square(4).stride(2, 2).pad(1)));
/// assert_eq!(UP.output(), Shape::new(8, 8, 3));
/// ```
///
/// A stride of zero does not compile; rustc prints «stride height is 0; it must be at least 1»:
///
/// ```compile_fail,E0080
/// use upconv::{must, ConvTranspose, Geometry, Plan, Shape};
/// const UP: Plan = must!(ConvTranspose::plan(Shape::new(4, 4, 8), 3, Geometry::square(4).stride(0, 2)));
/// # let _ = UP;
/// ```
#[macro_export]
macro_rules! must {
    ($result:expr) => {
        const {
            match $result {
                Ok(value) => value,
                Err(error) => panic!("{}", $crate::Error::message(&error).as_str()),
            }
        }
    };
}
