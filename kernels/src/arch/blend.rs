//! Bilinear rows: two rows blended downwards once for every input column, those sums blended along for every output column.
//!
//! ```text
//! v[j] = w₀ · near[j] + w₁ · far[j]                                 w₀ + w₁ = 16 with whole factors, else the denominator
//! y    = ((2F − 1 − 2k) v[j] + (2k + 1) v[j + 1] + half) >> s       output k of the F between two columns: a sum and its increments
//! y    = ((d − t) v[j] + t v[j + 1] + half) / D                     any ratio
//! ```
//!
//! Four int8 channels are one word: biased to 0 ..= 255 their sums fit the two halves of two words, below 2^8 · 16 · 2F <= 2^16, and plain 32-bit
//! arithmetic adds and multiplies both halves. That is every core's fastest way without Helium, so there is one.
//!
//! Ties away from zero: half is one less, and a sum that is not negative gains it back.

use super::blend_dsp::{self, double};
use super::blend_mve::double_8;
use super::{DSP, UNALIGNED, VECTORS, small};
use crate::Element;
use crate::coords::{Affine, Divide, Position};

/// Two input rows and their weights, the first not below the second's. Values of one pixel lie side by side.
#[derive(Clone, Copy)]
pub(crate) struct RowPair<'a, T> {
    pub(crate) rows: [&'a [T]; 2],
    pub(crate) weights: [u32; 2],
    pub(crate) channels: usize,
    pub(crate) away: bool,
}

/// K channels whose sums are kept in N words, those of [`One`] signed, those of [`Quad`] and [`Three`] biased by 128.
trait Unit<T: Element, const N: usize, const K: usize> {
    /// 1 in every place of a word.
    const ONES: u32;

    /// What sums of values times 1 lack to be biased by `-MIN`.
    const NEGATIVE: u32;

    /// # Safety
    /// `x` has K values.
    unsafe fn load(x: *const T) -> [u32; N];

    /// Stores `sums >> shift`, of those that are not negative one more where ties go away from zero: `up` is 1, else 0.
    ///
    /// # Safety
    /// `y` has room for K values.
    unsafe fn store(y: *mut T, sums: [u32; N], shift: u32, up: u32);

    /// The sums one by one.
    fn values(sums: [u32; N]) -> [u32; K];

    /// Stores values that were biased by `-MIN`.
    ///
    /// # Safety
    /// `y` has room for K values.
    unsafe fn put(y: *mut T, values: [u32; K]);
}

/// One value of any type.
struct One;

impl<T: Element> Unit<T, 1, 1> for One {
    const ONES: u32 = 1;
    const NEGATIVE: u32 = T::MIN.unsigned_abs();

    #[inline(always)]
    unsafe fn load(x: *const T) -> [u32; 1] {
        // SAFETY: the caller's.
        [unsafe { x.read() }.to_i32() as u32]
    }

    #[inline(always)]
    unsafe fn store(y: *mut T, [sum]: [u32; 1], shift: u32, up: u32) {
        let sum = sum.wrapping_add((!sum >> 31) & up);
        // SAFETY: the caller's.
        unsafe { y.write(T::from_i32(sum as i32 >> shift)) };
    }

    #[inline(always)]
    fn values(sums: [u32; 1]) -> [u32; 1] {
        sums
    }

    #[inline(always)]
    unsafe fn put(y: *mut T, [value]: [u32; 1]) {
        // SAFETY: the caller's.
        unsafe { y.write(T::from_i32((value as i32).wrapping_add(T::MIN))) };
    }
}

/// Four values of one byte each.
struct Quad<const ALIGNED: bool>;

/// The bytes of a word that its first half-words hold.
const EVEN: u32 = 0x00FF_00FF;
/// 1 in both half-words.
const PAIR: u32 = 0x0001_0001;
/// 128 in every byte.
const BIAS: u32 = 0x8080_8080;

impl<T: Element, const ALIGNED: bool> Unit<T, 2, 4> for Quad<ALIGNED> {
    const ONES: u32 = PAIR;
    const NEGATIVE: u32 = 0;

    #[inline(always)]
    unsafe fn load(x: *const T) -> [u32; 2] {
        let x = x.cast::<u32>();
        // SAFETY: the caller's.
        let word = u32::from_le(unsafe { if ALIGNED { x.read() } else { x.read_unaligned() } }) ^ BIAS;
        [word & EVEN, word >> 8 & EVEN]
    }

    #[inline(always)]
    unsafe fn store(y: *mut T, sums: [u32; 2], shift: u32, up: u32) {
        let [low, high] = rounded(sums, shift, up);
        let word = (low | high << 8) ^ BIAS;
        let y = y.cast::<u32>();
        // SAFETY: the caller's.
        unsafe { if ALIGNED { y.write(word.to_le()) } else { y.write_unaligned(word.to_le()) } };
    }

    #[inline(always)]
    fn values([low, high]: [u32; 2]) -> [u32; 4] {
        [low & 0xFFFF, high & 0xFFFF, low >> 16, high >> 16]
    }

    #[inline(always)]
    unsafe fn put(y: *mut T, values: [u32; 4]) {
        let word = values.iter().rev().fold(0, |word, value| word << 8 | value) ^ BIAS;
        let y = y.cast::<u32>();
        // SAFETY: the caller's.
        unsafe { if ALIGNED { y.write(word.to_le()) } else { y.write_unaligned(word.to_le()) } };
    }
}

/// Three values of one byte each, the first and the third in one word.
struct Three;

impl<T: Element> Unit<T, 2, 3> for Three {
    const ONES: u32 = PAIR;
    const NEGATIVE: u32 = 0;

    #[inline(always)]
    unsafe fn load(x: *const T) -> [u32; 2] {
        // SAFETY: the caller's.
        let [a, b, c] = unsafe { x.cast::<[u8; 3]>().read() }.map(u32::from);
        [(a | c << 16) ^ BIAS & EVEN, b ^ BIAS & 0xFF]
    }

    #[inline(always)]
    unsafe fn store(y: *mut T, sums: [u32; 2], shift: u32, up: u32) {
        let values = <Self as Unit<T, 2, 3>>::values(rounded(sums, shift, up));
        // SAFETY: the caller's.
        unsafe { <Self as Unit<T, 2, 3>>::put(y, values) };
    }

    #[inline(always)]
    fn values([low, high]: [u32; 2]) -> [u32; 3] {
        [low & 0xFFFF, high & 0xFFFF, low >> 16]
    }

    #[inline(always)]
    unsafe fn put(y: *mut T, values: [u32; 3]) {
        // SAFETY: the caller's.
        unsafe { y.cast::<[u8; 3]>().write(values.map(|value| (value ^ BIAS) as u8)) };
    }
}

/// `sums >> shift` in both halves of each word, of those above the bias one more first where `up` is 1.
#[inline(always)]
fn rounded(sums: [u32; 2], shift: u32, up: u32) -> [u32; 2] {
    // Bounds: the bias is 2^(shift + 7), below which sums stand for negative ones.
    sums.map(|sum| (sum + ((sum >> (shift + 7)) & (up * PAIR))) >> shift & EVEN)
}

/// A loop along a row for some channels.
trait Line<T: Element> {
    /// Whether three channels are faster in one go than one by one.
    const THREE: bool;

    /// # Safety
    /// From `near` and `far` on all columns of the input can be read, from `y` on all of the output written, each with the channels of U.
    unsafe fn run<U: Unit<T, N, K>, const N: usize, const K: usize>(&self, near: *const T, far: *const T, y: *mut T);

    /// The same for eight int8 channels, or all where they are less; false, and nothing done, where there are no better instructions for it.
    ///
    /// # Safety
    /// As above.
    #[inline(always)]
    unsafe fn eight(&self, _: *const T, _: *const T, _: *mut T) -> bool {
        false
    }
}

/// All channels of a row, as many at a time as can be.
#[inline(always)]
fn channels<T: Element, L: Line<T>>(
    rows: &RowPair<'_, T>,
    [input, output]: [usize; 2],
    quads: bool,
    y: &mut [T],
    line: &L,
) {
    let (c, [near, far]) = (rows.channels, rows.rows);
    if c == 0 || input == 0 || near.len().min(far.len()) < input * c || y.len() < output * c {
        return;
    }
    let (near, far, y) = (near.as_ptr(), far.as_ptr(), y.as_mut_ptr());
    // SAFETY: both rows have `input` pixels of c channels and y has `output` ones, and `at` and the channels from it on, or all, are below c.
    let (eight, quad, word, three, one) = unsafe {
        (
            |at| line.eight(near.add(at), far.add(at), y.add(at)),
            |at| line.run::<Quad<false>, 2, 4>(near.add(at), far.add(at), y.add(at)),
            |at| line.run::<Quad<true>, 2, 4>(near.add(at), far.add(at), y.add(at)),
            || line.run::<Three, 2, 3>(near, far, y),
            |at| line.run::<One, 1, 1>(near.add(at), far.add(at), y.add(at)),
        )
    };
    // The last eight or four channels may overlap those before: they are computed twice.
    if quads && (0..c).step_by(8).all(|at| eight(at.min(c.saturating_sub(8)))) {
        return;
    }
    if !quads || c < if L::THREE { 3 } else { 4 } {
        (0..c).for_each(one);
    } else if c == 3 && L::THREE {
        three();
    } else if !UNALIGNED && (near as usize | far as usize | y as usize | c).is_multiple_of(4) {
        (0..c).step_by(4).for_each(word);
    } else {
        (0..c).step_by(4).for_each(|at| quad(at.min(c - 4)));
    }
}

/// `f` of both, word by word.
#[inline(always)]
fn both<const N: usize>(a: [u32; N], b: [u32; N], f: impl Fn(u32, u32) -> u32) -> [u32; N] {
    let mut a = a;
    a.iter_mut().zip(b).for_each(|(a, b)| *a = f(*a, b));
    a
}

/// Columns at F = 2, 4 or 8 times the input's, half-pixel: all of it is known only as the loop runs, or it is `TWICE` those of rows that are weighted
/// 12 : 4 or the same, and whether ties go away from zero is known.
struct Repeat<const TWICE: bool, const AWAY: bool> {
    factor: usize,
    away: bool,
    columns: usize,
    channels: usize,
    weights: [u32; 2],
}

impl<T: Element, const TWICE: bool, const AWAY: bool> Line<T> for Repeat<TWICE, AWAY> {
    // Helium has all channels at once, and other cores lose with the bytes what they win with the words.
    const THREE: bool = (DSP && !VECTORS) || cfg!(upconv_backend = "portable");

    #[inline(always)]
    unsafe fn eight(&self, near: *const T, far: *const T, y: *mut T) -> bool {
        // SAFETY: the caller's.
        TWICE && self.channels > 1 && unsafe { double_8::<T, AWAY>(near, far, y, self.channels, self.columns) }
    }

    #[inline(always)]
    unsafe fn run<U: Unit<T, N, K>, const N: usize, const K: usize>(&self, near: *const T, far: *const T, y: *mut T) {
        let &Repeat { columns, channels: c, weights: [w0, w1], .. } = self;
        // SAFETY: the caller's.
        if TWICE && K == 4 && unsafe { double::<T, AWAY>(near, far, y, c, columns) } {
            return;
        }
        let (f, away) = if TWICE { (2, AWAY) } else { (self.factor, self.away) };
        let shift = 5 + f.trailing_zeros();
        // Bounds: 255 · 16 · 2F + half < 2^16 in each half of a word.
        let half = (16 * f as u32 - u32::from(away)) * U::ONES;
        let column = |near: *const T, far: *const T| {
            // SAFETY: called for the input's columns.
            let (a, b) = unsafe { (U::load(near), U::load(far)) };
            both(a, b, |a, b| a.wrapping_mul(w0).wrapping_add(b.wrapping_mul(w1)))
        };
        // SAFETY: called for the output's columns.
        let put = |y: *mut T, sums| unsafe { U::store(y, sums, shift, away.into()) };
        let edge = |y: *mut T, v: [u32; N]| {
            let sums = v.map(|v| v.wrapping_mul(2 * f as u32).wrapping_add(half));
            for k in 0..f / 2 {
                put(y.wrapping_add(k * c), sums);
                small();
            }
        };
        let (mut near, mut far, mut v0) = (near, far, column(near, far));
        edge(y, v0);
        let mut y = y.wrapping_add(f / 2 * c);
        let last = near.wrapping_add((columns - 1) * c);
        while near != last {
            (near, far) = (near.wrapping_add(c), far.wrapping_add(c));
            let v1 = column(near, far);
            let mut sums = both(v0, v1, |v0, v1| v0.wrapping_mul(2 * f as u32 - 1).wrapping_add(v1).wrapping_add(half));
            let step = both(v1, v0, |v1, v0| v1.wrapping_sub(v0).wrapping_mul(2));
            for k in 0..f {
                if k > 0 {
                    sums = both(sums, step, u32::wrapping_add);
                }
                put(y, sums);
                y = y.wrapping_add(c);
                if !TWICE {
                    small();
                }
            }
            v0 = v1;
            // Unrolled, more sums than one would not fit the registers.
            if !TWICE || N > 1 {
                small();
            }
        }
        edge(y, v0);
    }
}

/// Any columns.
struct Any<'a> {
    axis: &'a Affine,
    first: Position,
    channels: usize,
    weights: [u32; 2],
    by: Divide,
    away: bool,
}

impl<T: Element> Line<T> for Any<'_> {
    const THREE: bool = true;

    #[inline(always)]
    unsafe fn run<U: Unit<T, N, K>, const N: usize, const K: usize>(&self, near: *const T, far: *const T, y: *mut T) {
        let &Any { axis, first, channels: c, weights: [w0, w1], by, away } = self;
        // Twice all sums, so that one instruction less divides them. Bounds: they are below 2 · 2^B · d < 2^31.
        let zero = 2 * by.divisor() * T::MIN.unsigned_abs();
        let half = 2 * (by.divisor() / 2 - u32::from(away) + by.divisor() * U::NEGATIVE);
        let dsp = K == 4 && !away && axis.whole() == 0 && axis.den() < 1 << 14 && w0 + w1 < 256;
        if dsp {
            let start = axis.inside(first.i) * c;
            let [from, last] = [start, (axis.input - 1) * c].map(|at| near.cast::<i8>().wrapping_add(at));
            let mut columns = blend_dsp::Columns {
                near: from,
                far: far as isize - near as isize,
                last,
                c,
                weights: [w0, w1],
                offset: 128 * (w0 + w1) * U::ONES,
                shift: by.shift(),
                den: 2 * axis.den(),
                step: 2 * axis.rest(),
                t: 2 * (first.t + if first.i < 0 { 0 } else { axis.den() }),
                m: by.factor(),
                half: half + zero,
            };
            // SAFETY: the caller's; 128 · 255 and 2 den are below 2^15.
            if unsafe { blend_dsp::any(&mut columns, y.cast(), axis.output) } {
                return;
            }
        }
        let column = |i: i32| {
            let at = axis.inside(i) * c;
            // SAFETY: a column of the input.
            let (a, b) = unsafe { (U::load(near.add(at)), U::load(far.add(at))) };
            both(a, b, |a, b| a.wrapping_mul(w0).wrapping_add(b.wrapping_mul(w1)))
        };
        // Between two columns an output is a start and so many times a slope: few values, which registers hold.
        let (whole, rest, den) = (axis.whole() as i32, 2 * axis.rest(), 2 * axis.den());
        let (mut i, mut t, mut left, mut y) = (first.i, 2 * first.t, axis.output, y);
        let (mut before, mut v1) = (-3, [0; N]);
        while left > 0 {
            let v0 = U::values(if i == before + 1 { v1 } else { column(i) });
            v1 = column(i + 1);
            before = i;
            let start = v0.map(|v0| v0.wrapping_mul(den).wrapping_add(half));
            let slope = both(U::values(v1), v0, u32::wrapping_sub);
            loop {
                let mut out = both(start, slope, |start, slope| start.wrapping_add(slope.wrapping_mul(t)));
                if away {
                    out = out.map(|n| n + 2 * u32::from(n >= zero));
                }
                // SAFETY: no more than the output has columns.
                unsafe { U::put(y, out.map(|n| by.half_of(n))) };
                y = y.wrapping_add(c);
                left -= 1;
                (i, t) = (i + whole, t + rest);
                if t >= den {
                    (i, t) = (i + 1, t - den);
                }
                if i != before || left == 0 {
                    break;
                }
            }
        }
    }
}

impl<T: Element> RowPair<'_, T> {
    /// Blends along to the columns of `axis`, which are `factor` = 2, 4 or 8 times the input's, half-pixel. The rows' weights add up to 16.
    pub(crate) fn repeat(&self, axis: &Affine, factor: usize, y: &mut [T]) {
        let [w0, w1] = self.weights;
        let steep = w0.max(w1) == 3 * w0.min(w1) || self.rows[0].as_ptr() == self.rows[1].as_ptr();
        match self.away {
            false if factor == 2 && steep => self.by::<true, false>(axis, factor, y),
            true if factor == 2 && steep && DSP => self.by::<true, true>(axis, factor, y),
            _ => self.by::<false, false>(axis, factor, y),
        }
    }

    #[inline(never)]
    fn by<const TWICE: bool, const AWAY: bool>(&self, axis: &Affine, factor: usize, y: &mut [T]) {
        let &RowPair { mut rows, mut weights, channels: c, away } = self;
        if weights[0] < weights[1] {
            (rows, weights) = ([rows[1], rows[0]], [weights[1], weights[0]]);
        }
        let line = Repeat::<TWICE, AWAY> { factor, away, columns: axis.input, channels: c, weights };
        channels(&RowPair { rows, ..*self }, [axis.input, axis.output], size_of::<T>() == 1, y, &line);
    }

    /// Blends along to the columns of `axis`, and divides by both denominators' product.
    #[inline(never)]
    pub(crate) fn any(&self, axis: &Affine, by: Divide, y: &mut [T]) {
        let &RowPair { channels: c, weights, away, .. } = self;
        // Bounds: 255 · (w₀ + w₁) < 2^16.
        let quads = size_of::<T>() == 1 && weights[0] + weights[1] <= 257;
        channels(
            self,
            [axis.input, axis.output],
            quads,
            y,
            &Any { axis, first: axis.at(0), channels: c, weights, by, away },
        );
    }
}
