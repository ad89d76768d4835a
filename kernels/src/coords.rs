//! From an output position to the input position that it samples, in exact rational arithmetic.
//!
//! With the scale `n / d` (output over input, either the ratio of the sizes or a given one) output i samples
//!
//! ```text
//! half_pixel            ((2i + 1) d - n) / 2n                      (i + 1/2) / scale - 1/2
//! asymmetric            i d / n                                    i / scale
//! align_corners         i (in - 1) / (out - 1)                     0 when out = 1
//! pytorch_half_pixel    as half_pixel                              0 when out = 1
//! half_pixel_symmetric  (in n - out d + (2i + 1) d - n) / 2n       half_pixel, centred when in * scale is no whole number
//! ```
//! (ONNX `Resize`). Each is `(start + i * step) / den` with whole numbers in lowest terms. All divisions happen at plan time; a
//! row is entered by a [`Reciprocal`] and walked by adding.

use crate::phase::{Reciprocal, gcd};
use crate::shape::{MAX_SIDE, side, signed};
use crate::{Error, NearestMode, Shape};

/// Which input position an output position samples, in ONNX's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Coordinates {
    /// Pixel centres lie at one half. PyTorch's `align_corners=False`.
    HalfPixel,
    /// The outermost pixel centres coincide. PyTorch's `align_corners=True`.
    AlignCorners,
    /// The first pixel centres coincide. PyTorch's `nearest`.
    Asymmetric,
    /// Half-pixel, but position 0 for a single output.
    PytorchHalfPixel,
    /// Half-pixel, moved so that what a rounded output size cuts off is cut off evenly.
    HalfPixelSymmetric,
}

/// A scale: output size over input size, as a fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Ratio {
    num: u32,
    den: u32,
}

impl Ratio {
    /// `num / den`, each 1 ..= [`MAX_SIDE`].
    ///
    /// # Errors
    /// [`Error::Zero`] and [`Error::Range`] for another numerator or denominator.
    pub const fn new(num: usize, den: usize) -> Result<Self, Error> {
        match (side("the scale's numerator", num), side("the scale's denominator", den)) {
            (Ok(()), Ok(())) => Ok(Ratio { num: num as u32, den: den as u32 }),
            (Err(e), _) | (_, Err(e)) => Err(e),
        }
    }

    /// The last convergent of the continued fraction of `scale` with both terms at most [`MAX_SIDE`].
    ///
    /// A scale that was written with few digits is met exactly: 2.6 is 13/5, and so is the f32 nearest to it.
    ///
    /// ```
    /// use upconv::Ratio;
    /// assert_eq!(Ratio::nearest(2.6)?, Ratio::new(13, 5)?);
    /// assert_eq!(Ratio::nearest(f64::from(0.6f32))?, Ratio::new(3, 5)?);
    /// # Ok::<(), upconv::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Scale`] when the scale is not within 1/[`MAX_SIDE`] ..= [`MAX_SIDE`].
    pub const fn nearest(scale: f64) -> Result<Self, Error> {
        let error = Error::Scale { what: "the resize scale" };
        if !(scale > 0.5 / MAX_SIDE as f64 && scale < MAX_SIDE as f64 + 0.5) {
            return Err(error);
        }
        let (mut before, mut last) = ([0u64, 1], [1u64, 0]);
        let mut x = scale;
        loop {
            let whole = x as u64;
            let next = [whole.saturating_mul(last[0]) + before[0], whole.saturating_mul(last[1]) + before[1]];
            if next[0] > MAX_SIDE as u64 || next[1] > MAX_SIDE as u64 {
                break;
            }
            (before, last) = (last, next);
            let rest = x - whole as f64;
            if rest < 1e-9 {
                break;
            }
            x = 1.0 / rest;
        }
        if last[0] == 0 || last[1] == 0 { Err(error) } else { Ratio::new(last[0] as usize, last[1] as usize) }
    }

    /// Output size of an input: `floor(input * num / den)`, saturating.
    pub const fn apply(&self, input: usize) -> usize {
        let size = (input as u64).saturating_mul(self.num as u64) / if self.den == 0 { 1 } else { self.den } as u64;
        if size > usize::MAX as u64 { usize::MAX } else { size as usize }
    }
}

/// The target of a resize: sizes or scales, and which positions are sampled.
///
/// ```
/// use upconv::{Coordinates, Ratio, Resize};
/// let to = Resize::to(28, 28); // half-pixel, PyTorch's default
/// let by = Resize::by(Ratio::new(3, 2)?, Ratio::new(3, 2)?).coordinates(Coordinates::Asymmetric);
/// # let _ = (to, by);
/// # Ok::<(), upconv::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resize {
    sides: [Side; 2],
    pub(crate) coordinates: Coordinates,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    To(usize),
    By(Ratio),
    Both(Ratio, usize),
}

impl Resize {
    /// To `h` x `w`, half-pixel. Positions follow from the sizes: PyTorch's `size=` and `recompute_scale_factor=True`, ONNX's `sizes`.
    pub const fn to(h: usize, w: usize) -> Self {
        Resize { sides: [Side::To(h), Side::To(w)], coordinates: Coordinates::HalfPixel }
    }

    /// By the scales `h` and `w`, half-pixel. Sizes are `floor(in * scale)` unless [`sized`](Self::sized) says otherwise, and positions
    /// follow from the scale as it was given: PyTorch's `scale_factor=`, ONNX's `scales`.
    ///
    /// With [`Coordinates::AlignCorners`] positions are `i (in - 1) / (in * scale - 1)`, as ONNX has it; PyTorch ignores the scale there:
    /// use [`to`](Self::to).
    pub const fn by(h: Ratio, w: Ratio) -> Self {
        Resize { sides: [Side::By(h), Side::By(w)], coordinates: Coordinates::HalfPixel }
    }

    /// Gives sizes beside the scales, for a framework that rounds `in * scale` in its own way; by size alone nothing changes but the size.
    ///
    /// PyTorch's floor of a float product loses one now and then (0.29 x 100 is 28), and with an output of the input's size its
    /// linear modes copy, which is [`to`](Self::to); ONNX's `keep_aspect_ratio_policy` rounds to the nearest.
    ///
    /// A plan refuses a size that is more than one away from `floor(in * scale)` ([`Error::Range`]), and [`Coordinates::AlignCorners`],
    /// whose positions could then lie outside the input ([`Error::Unsupported`]).
    ///
    /// ```
    /// use upconv::{Ratio, Resize, Shape};
    /// let by = Resize::by(Ratio::nearest(0.29)?, Ratio::new(1, 1)?);
    /// let input = Shape::new(100, 1, 1);
    /// assert_eq!((by.output(input).h, by.sized(28, 1).output(input).h), (29, 28));
    /// # Ok::<(), upconv::Error>(())
    /// ```
    pub const fn sized(mut self, h: usize, w: usize) -> Self {
        self.sides = [self.sides[0].sized(h), self.sides[1].sized(w)];
        self
    }

    /// Sets which positions are sampled.
    pub const fn coordinates(mut self, coordinates: Coordinates) -> Self {
        self.coordinates = coordinates;
        self
    }

    /// The output's shape.
    pub const fn output(&self, input: Shape) -> Shape {
        Shape::new(self.sides[0].output(input.h), self.sides[1].output(input.w), input.c)
    }

    /// Whether both sizes are given, not scales.
    pub(crate) const fn by_size(&self) -> bool {
        matches!(self.sides, [Side::To(_), Side::To(_)])
    }

    /// The positions along height (0) or width (1).
    pub(crate) const fn axis(&self, axis: usize, input: usize) -> Result<Affine, Error> {
        let side = if axis == 0 { self.sides[0] } else { self.sides[1] };
        let output = side.output(input);
        if let Side::Both(ratio, size) = side {
            let floor = signed(ratio.apply(input));
            let (what, got) = (if axis == 0 { "output height" } else { "output width" }, signed(size));
            if got < floor - 1 || got > floor + 1 {
                return Err(Error::Range { what, got, min: floor - 1, max: floor + 1 });
            }
            if matches!(self.coordinates, Coordinates::AlignCorners) {
                return Err(Error::Unsupported { what: "align_corners by a scale with a size of its own" });
            }
        }
        let (i, o) = (input as i64, output as i64);
        let (n, d) = match side {
            Side::To(_) => (o, i),
            Side::By(ratio) | Side::Both(ratio, _) => (ratio.num as i64, ratio.den as i64),
        };
        let (start, step, den) = match self.coordinates {
            Coordinates::PytorchHalfPixel if output <= 1 => (0, 0, 1),
            Coordinates::HalfPixel | Coordinates::PytorchHalfPixel => (d - n, 2 * d, 2 * n),
            Coordinates::HalfPixelSymmetric => (i * n - o * d + d - n, 2 * d, 2 * n),
            Coordinates::Asymmetric => (0, d, n),
            // (out - 1) is (in * n / d - 1), which is 0 or less when nothing lies between the corners.
            Coordinates::AlignCorners if i * n <= d => (0, 0, 1),
            Coordinates::AlignCorners => (0, (i - 1) * d, i * n - d),
        };
        Affine::new(input, output, start, step as u64, den as u64)
    }
}

impl Side {
    const fn sized(self, size: usize) -> Self {
        match self {
            Side::To(_) => Side::To(size),
            Side::By(ratio) | Side::Both(ratio, _) => Side::Both(ratio, size),
        }
    }

    const fn output(self, input: usize) -> usize {
        match self {
            Side::To(size) | Side::Both(_, size) => size,
            Side::By(ratio) => ratio.apply(input),
        }
    }
}

/// Exact division by a constant in 32 bits: `floor(n / d) = (2n · m >> 32) >> shift`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Divide {
    d: u32,
    m: u32,
    shift: u32,
}

impl Divide {
    /// d = 1 ..= 2²² − 1; `None` beyond.
    ///
    /// With d of b bits, `m = ceil(2^(b+30) / d)` is at most 2³¹ and less than 1 too large. For n < 2^q · d that makes less than
    /// n / 2^(b+30), which is at most 1 / d where 2^q · d² <= 2^(b+30), thus where q + b <= 30: there the quotient is exact, and 2n fits.
    pub(crate) const fn new(d: u32) -> Option<Self> {
        let bits = u32::BITS - d.leading_zeros();
        if d == 0 || bits > 22 {
            return None;
        }
        let m = (1u64 << (bits + 30)).div_ceil(d as u64) as u32;
        Some(Divide { d, m, shift: bits - 1 })
    }

    /// Whether it holds for quotients of so many bits.
    pub(crate) const fn gives(&self, bits: u32) -> bool {
        self.shift + 1 + bits <= 30
    }

    /// The divisor.
    pub(crate) fn divisor(&self) -> u32 {
        self.d
    }

    /// m of the formula.
    pub(crate) fn factor(&self) -> u32 {
        self.m
    }

    /// Its shift.
    pub(crate) fn shift(&self) -> u32 {
        self.shift
    }

    /// `floor(n / d)`
    #[inline(always)]
    pub(crate) const fn quotient(&self, n: u32) -> u32 {
        self.half_of(2 * n)
    }

    /// `floor(twice / 2d)`
    #[inline(always)]
    pub(crate) const fn half_of(&self, twice: u32) -> u32 {
        ((twice as u64 * self.m as u64) >> 32) as u32 >> self.shift
    }
}

/// The positions `(start + o * step) / den` along one axis.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Affine {
    pub(crate) input: usize,
    pub(crate) output: usize,
    start: i64,
    step: u64,
    den: u32,
    /// `step` and `start` as whole inputs and a rest.
    whole: u32,
    rest: u32,
    first: i32,
    first_rest: u32,
    by_den: Reciprocal,
    /// The same where positions fit 32 bits.
    by: Option<Divide>,
}

/// A position `i + t / den`; i is -1 for every position below 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) i: i32,
    pub(crate) t: u32,
}

impl Affine {
    /// Twice the denominator of half-pixel positions at the largest size.
    const MAX_DEN: u64 = 4 * MAX_SIDE as u64;

    /// `start >= -den`, and `input` and `output` have been checked.
    pub(crate) const fn new(input: usize, output: usize, start: i64, step: u64, den: u64) -> Result<Self, Error> {
        let g = gcd(gcd(start.unsigned_abs() as usize, step as usize), den as usize) as u64;
        let g = if g == 0 { 1 } else { g };
        let (step, den) = (step / g, den / g);
        let start = if start < 0 { -((start.unsigned_abs() / g) as i64) } else { (start as u64 / g) as i64 };
        if den == 0 || den > Self::MAX_DEN {
            let (what, max) = ("the denominator of the positions", Self::MAX_DEN as i64);
            return Err(Error::Range { what, got: den as i64, min: 1, max });
        }
        let (first, first_rest) = if start < 0 {
            (-1, (start + den as i64) as u64)
        } else {
            ((start as u64 / den) as i32, start as u64 % den)
        };
        Ok(Affine {
            input,
            output,
            start,
            step,
            den: den as u32,
            whole: (step / den) as u32,
            rest: (step % den) as u32,
            first,
            first_rest: first_rest as u32,
            by_den: Reciprocal::new(den as u32),
            by: match Divide::new(den as u32) {
                Some(by) if by.gives(16) => Some(by),
                _ => None,
            },
        })
    }

    /// The same positions rounded to whole ones: `floor` of the result is `mode` of the original.
    pub(crate) const fn rounded(&self, mode: NearestMode) -> Result<Self, Error> {
        let (start, step, den) = (self.start, self.step, self.den as i64);
        let (start, step, den) = match mode {
            NearestMode::Floor => (start, step, den),
            NearestMode::Ceil => (start + den - 1, step, den),
            NearestMode::RoundPreferCeil => (2 * start + den, 2 * step, 2 * den),
            NearestMode::RoundPreferFloor => (2 * start + den - 1, 2 * step, 2 * den),
        };
        Affine::new(self.input, self.output, start, step, den as u64)
    }

    /// The unit of [`Position::t`].
    pub(crate) const fn den(&self) -> u32 {
        self.den
    }

    /// The whole inputs of a step.
    pub(crate) const fn whole(&self) -> u32 {
        self.whole
    }

    /// The rest of a step, in units of 1 / den.
    pub(crate) const fn rest(&self) -> u32 {
        self.rest
    }

    /// `t / den` as a fraction of 2^30.
    pub(crate) fn fraction(&self, t: u32) -> i64 {
        let (high, rest) = self.by_den.div_rem(u64::from(t) << 15);
        let (low, _) = self.by_den.div_rem(u64::from(rest) << 15);
        i64::from(high) << 15 | i64::from(low)
    }

    /// The position of an output.
    pub(crate) const fn at(&self, o: usize) -> Position {
        // Bounds: o <= in * scale, so a position is at most in, plus half a step where centres lie at one half, plus less than 1 where
        // it was rounded. A step is at most MAX_SIDE: the quotient stays below 2^15 + 2^14 + 1 < 2^16. And o * step < 2^15 * 2^31.
        if let Some(by) = &self.by {
            // Bounds: it gives quotients of 16 bits, so positions are below 2^30.
            let position = (o as u32).wrapping_mul(self.step as u32).wrapping_add(self.start as u32);
            if (position as i32) < 0 {
                let t = position as i32 + self.den as i32;
                return Position { i: -1, t: if t < 0 { 0 } else { t as u32 } };
            }
            let i = by.quotient(position);
            return Position { i: i as i32, t: position - i * self.den };
        }
        let position = self.start + (o as u64 * self.step) as i64;
        if position < 0 {
            let t = position + self.den as i64;
            return Position { i: -1, t: if t < 0 { 0 } else { t as u32 } };
        }
        let (i, t) = self.by_den.div_rem(position as u64);
        Position { i: i as i32, t }
    }

    /// The positions of all outputs in order.
    pub(crate) fn walk(&self) -> impl Iterator<Item = Position> + use<> {
        let mut next = Position { i: self.first, t: self.first_rest };
        // Copies: nothing that is written in between could change them.
        let &Affine { whole, rest, den, .. } = self;
        (0..self.output).map(move |_| {
            let now = next;
            next.i += whole as i32;
            next.t += rest;
            if next.t >= den {
                next.t -= den;
                next.i += 1;
            }
            now
        })
    }

    /// The input at or before a position, inside the input.
    #[inline]
    pub(crate) const fn nearest(&self, p: Position) -> usize {
        self.inside(p.i)
    }

    /// The same of an output's position, in fewer instructions.
    #[inline(always)]
    pub(crate) const fn nearest_at(&self, o: usize) -> usize {
        let Some(by) = &self.by else { return self.nearest(self.at(o)) };
        let position = (o as u32).wrapping_mul(self.step as u32).wrapping_add(self.start as u32) as i32;
        let (i, last) = (if position < 0 { 0 } else { by.quotient(position as u32) as usize }, self.input - 1);
        if i < last { i } else { last }
    }

    /// The input nearest to a whole position.
    #[inline]
    pub(crate) const fn inside(&self, i: i32) -> usize {
        let (i, last) = (if i < 0 { 0 } else { i as usize }, self.input - 1);
        if i < last { i } else { last }
    }

    /// The whole factor F where `floor` of position i is `i / F`; else 0.
    pub(crate) const fn repeats(&self) -> usize {
        let Some(f) = (self.den as u64).checked_div(self.step) else { return 0 };
        let repeats = f * self.step == self.den as u64 && 0 <= self.start && self.start < self.step as i64;
        if repeats && self.output as u64 == f * self.input as u64 { f as usize } else { 0 }
    }

    /// Whether position i is i, and there are as many as inputs.
    pub(crate) const fn is_identity(&self) -> bool {
        self.start == 0 && self.step == self.den as u64 && self.output == self.input
    }

    /// The whole factor F of half-pixel positions `(2i + 1) / 2F − 1/2`, where it is 2, 4 or 8; else 0.
    pub(crate) const fn half_pixel_factor(&self) -> usize {
        let f = self.den / 2;
        let half_pixel = self.den == 2 * f && self.step == 2 && self.start == 1 - f as i64;
        if half_pixel && matches!(f, 2 | 4 | 8) && self.output == f as usize * self.input { f as usize } else { 0 }
    }

    /// The two inputs around a position, edges replicated, and the weight of the second in units of 1 / den.
    pub(crate) const fn linear(&self, p: Position) -> (usize, usize, u32) {
        let i = self.nearest(p);
        if p.i < 0 || i + 1 >= self.input { (i, i, 0) } else { (i, i + 1, p.t) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The position of output `o` as a fraction n / d, from the formulas above.
    fn definition(c: Coordinates, o: i64, input: i64, output: i64, (n, d): (i64, i64)) -> (i64, i64) {
        match c {
            Coordinates::PytorchHalfPixel if output == 1 => (0, 1),
            Coordinates::HalfPixel | Coordinates::PytorchHalfPixel => ((2 * o + 1) * d - n, 2 * n),
            Coordinates::HalfPixelSymmetric => (input * n - output * d + (2 * o + 1) * d - n, 2 * n),
            Coordinates::Asymmetric => (o * d, n),
            Coordinates::AlignCorners if input * n <= d => (0, 1),
            Coordinates::AlignCorners => (o * (input - 1) * d, input * n - d),
        }
    }

    const ALL: [Coordinates; 5] = [
        Coordinates::HalfPixel,
        Coordinates::AlignCorners,
        Coordinates::Asymmetric,
        Coordinates::PytorchHalfPixel,
        Coordinates::HalfPixelSymmetric,
    ];

    #[test]
    fn positions_are_the_rational_definition() {
        let ratios = [(1, 1), (2, 1), (3, 2), (13, 5), (3, 5), (1, 3), (17, 10), (255, 128)];
        for c in ALL {
            for input in (1..30).step_by(if cfg!(miri) { 13 } else { 1 }) {
                let sizes = (1..40)
                    .step_by(if cfg!(miri) { 9 } else { 1 })
                    .map(|o| (Resize::to(o, 1), o, (o as i64, input as i64)));
                let scales = ratios.iter().map(|&(n, d)| {
                    let ratio = Ratio::new(n, d).unwrap();
                    (Resize::by(ratio, ratio), ratio.apply(input), (n as i64, d as i64))
                });
                for (resize, output, scale) in sizes.chain(scales).filter(|(_, o, _)| *o > 0) {
                    let axis = resize.coordinates(c).axis(0, input).unwrap();
                    assert_eq!(axis.output, output);
                    for (o, walked) in axis.walk().enumerate() {
                        let (n, d) = definition(c, o as i64, input as i64, output as i64, scale);
                        let context = format!("{c:?} {input} -> {output} by {scale:?} at {o}");
                        assert_eq!(i64::from(walked.i), n.div_euclid(d), "{context}");
                        assert_eq!(i64::from(walked.t) * d, n.rem_euclid(d) * i64::from(axis.den), "{context}");
                        assert_eq!(axis.at(o), walked, "{context}");
                        let fraction = axis.fraction(walked.t) as f64 / (1 << 30) as f64;
                        assert!((fraction - f64::from(walked.t) / f64::from(axis.den)).abs() < 1e-9);
                        for (mode, whole) in [
                            (NearestMode::Floor, n.div_euclid(d)),
                            (NearestMode::Ceil, -((-n).div_euclid(d))),
                            (NearestMode::RoundPreferCeil, (2 * n + d).div_euclid(2 * d)),
                            (NearestMode::RoundPreferFloor, -((d - 2 * n).div_euclid(2 * d))),
                        ] {
                            let rounded = axis.rounded(mode).unwrap();
                            let expected = whole.clamp(0, input as i64 - 1) as usize;
                            assert_eq!(rounded.nearest(rounded.at(o)), expected, "{context} {mode:?}");
                            assert_eq!(rounded.nearest_at(o), expected, "{context} {mode:?}");
                            assert_eq!(rounded.nearest(rounded.walk().nth(o).unwrap()), expected, "{context} {mode:?}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn scales_become_the_fractions_that_they_were_written_as() {
        for den in (1..200).step_by(if cfg!(miri) { 19 } else { 1 }) {
            for num in (1..400).step_by(if cfg!(miri) { 23 } else { 1 }) {
                let ratio = Ratio::nearest(num as f64 / den as f64).unwrap();
                assert_eq!(ratio.num as usize * den, num * ratio.den as usize);
                assert_eq!(Ratio::nearest(f64::from(num as f32 / den as f32)).unwrap(), ratio, "{num}/{den} in f32");
            }
        }
        for scale in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-6, 40000.0] {
            assert_eq!(Ratio::nearest(scale), Err(Error::Scale { what: "the resize scale" }));
        }
    }
}
