//! From an output position to the input position that it samples, in exact rational arithmetic.
//!
//! ```text
//! half-pixel       x = (i + 1/2) * in / out - 1/2      then max(x, 0)
//! align-corners    x = i * (in - 1) / (out - 1)        0 when out = 1
//! ```
//! Either is `(start + i * step) / den` with whole numbers, reduced to lowest terms. All divisions happen at plan time; a
//! row is entered by a [`Reciprocal`] and walked by adding.

use crate::Error;
use crate::phase::{Reciprocal, gcd};
use crate::shape::side;

/// Which input position an output position samples (PyTorch's `align_corners`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coordinates {
    /// Pixel centres lie at one half: `align_corners=False`, ONNX `half_pixel`.
    HalfPixel,
    /// The outermost pixel centres coincide: `align_corners=True`.
    AlignCorners,
}

/// Linear interpolation along one axis.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LinearAxis {
    input: u32,
    pub(crate) output: usize,
    start: i64,
    step: u64,
    den: u32,
    /// `step` as whole inputs and a rest.
    whole: u32,
    rest: u32,
    by_den: Reciprocal,
}

/// Where one output position reads: `((den - t) * x[i0] + t * x[i1]) / den`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tap {
    pub(crate) i0: u32,
    pub(crate) i1: u32,
    pub(crate) t: u32,
}

impl LinearAxis {
    /// `input` has been checked; `names` are the output's.
    pub(crate) const fn new(
        input: usize,
        output: usize,
        coordinates: Coordinates,
        name: &'static str,
    ) -> Result<Self, Error> {
        if let Err(e) = side(name, output) {
            return Err(e);
        }
        let (i, o) = (input as i64, output as i64);
        let (start, step, den) = match coordinates {
            Coordinates::HalfPixel => (i - o, 2 * i, 2 * o),
            Coordinates::AlignCorners if output > 1 => (0, i - 1, o - 1),
            Coordinates::AlignCorners => (0, 0, 1),
        };
        let g = gcd(gcd(start.unsigned_abs() as usize, step as usize), den as usize) as u64;
        let g = if g == 0 { 1 } else { g };
        let (negative, start) = (start < 0, (start.unsigned_abs() / g) as i64);
        let (start, step, den) = (if negative { -start } else { start }, step as u64 / g, den as u64 / g);
        let den = if den == 0 { 1 } else { den };
        Ok(LinearAxis {
            input: input as u32,
            output,
            start,
            step,
            den: den as u32,
            whole: (step / den) as u32,
            rest: (step % den) as u32,
            by_den: Reciprocal::new(den as u32),
        })
    }

    /// The weights are in units of `1 / den`; at most 2 * MAX_SIDE.
    pub(crate) const fn den(&self) -> u32 {
        self.den
    }

    /// The taps of output `o`, any.
    pub(crate) fn at(&self, o: usize) -> Tap {
        // Bounds: position < input * den, so the quotient is below 2^15.
        let position = self.start + (o as u64 * self.step) as i64;
        let (i0, t) = self.by_den.div_rem(position.max(0) as u64);
        self.tap(i0, t)
    }

    fn tap(&self, i0: u32, t: u32) -> Tap {
        if i0 + 1 < self.input {
            Tap { i0, i1: i0 + 1, t }
        } else {
            Tap { i0: self.input - 1, i1: self.input - 1, t: 0 }
        }
    }

    /// The taps of all outputs in order.
    pub(crate) fn walk(&self) -> impl Iterator<Item = Tap> + '_ {
        // start = i * den + t with 0 <= t < den; i = -1 while the position is negative (start >= -den / 2).
        let (mut i, mut t) = if self.start < 0 {
            (-1, (self.start + i64::from(self.den)) as u32)
        } else {
            let (i, t) = self.by_den.div_rem(self.start as u64);
            (i as i32, t)
        };
        (0..self.output).map(move |_| {
            let tap = if i < 0 { self.tap(0, 0) } else { self.tap(i as u32, t) };
            i += self.whole as i32;
            t += self.rest;
            if t >= self.den {
                t -= self.den;
                i += 1;
            }
            tap
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_the_rational_definition() {
        for coordinates in [Coordinates::HalfPixel, Coordinates::AlignCorners] {
            for input in 1..40i64 {
                for output in 1..40i64 {
                    let axis = LinearAxis::new(input as usize, output as usize, coordinates, "output width").unwrap();
                    for (o, walked) in axis.walk().enumerate() {
                        // The position as a fraction n / d, straight from the formulas above.
                        let (n, d) = match coordinates {
                            Coordinates::HalfPixel => ((2 * o as i64 + 1) * input - output, 2 * output),
                            Coordinates::AlignCorners if output > 1 => (o as i64 * (input - 1), output - 1),
                            Coordinates::AlignCorners => (0, 1),
                        };
                        let n = n.max(0).min((input - 1) * d);
                        assert_eq!(i64::from(walked.i0), n / d);
                        assert_eq!(i64::from(walked.i1), (n / d + 1).min(input - 1));
                        assert_eq!(
                            i64::from(walked.t) * d,
                            n % d * i64::from(axis.den()),
                            "{input} -> {output} at {o}"
                        );
                        assert_eq!(axis.at(o), walked);
                    }
                }
            }
        }
    }
}
