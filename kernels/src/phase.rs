//! Which taps reach which output, and where they read: all index arithmetic of the convolutions.
//!
//! Along one axis a transposed convolution of stride s, dilation d and padding p adds, to output o, the inputs
//! `i` with `i * s - p + d * k = o`. For the phase `r = o mod s` these are the taps k with `d * k ≡ r + p (mod s)`:
//! with `g = gcd(s, d)` none unless g divides `r + p`, else one residue class of k modulo `s / g`. Neighbouring taps
//! of a class lie `d / g` inputs apart, so that each phase is a small dense (or dilated) convolution, and
//! outputs of one phase that follow each other read inputs that follow each other. A plain convolution is the case of a
//! single phase whose outputs read inputs `stride` apart. Nothing is multiplied by an inserted zero.
//!
//! Divisions happen here, at plan time; at run time they are multiplications by a [`Reciprocal`].

use crate::Error;
use crate::arch::anew;
use crate::shape::{side, signed};

/// Exact division by a constant: `floor(n / d)` for quotients below 2¹⁶, in one multiplication and one correction.
///
/// With d of b bits, l = max(b - 17, 0) and m = floor(2^(b+30) / d) the estimate `((n >> l) * m) >> (b + 30 - l)` loses less
/// than 2^-16 by the bits of n that it drops and 2^-14 by those of m: it is the quotient or one below.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reciprocal {
    d: u32,
    m: u32,
    drop: u8,
    shift: u8,
}

impl Reciprocal {
    /// `d` is at least 1 (0 counts as 1).
    pub(crate) const fn new(d: u32) -> Self {
        let d = if d == 0 { 1 } else { d };
        let bits = 32 - d.leading_zeros();
        let drop = bits.saturating_sub(17);
        // 2^(b+30) / d lies in (2^30, 2^31].
        let m = ((1u64 << (bits + 30)) / d as u64) as u32;
        Reciprocal { d, m, drop: drop as u8, shift: (bits + 30 - drop) as u8 }
    }

    /// The divisor.
    pub(crate) const fn divisor(&self) -> u32 {
        self.d
    }

    /// Quotient and remainder. Bounds: n < 2^16 * d, so (n >> drop) * m < 2^(16+b-drop+31) <= 2^64.
    #[inline]
    pub(crate) const fn div_rem(&self, n: u64) -> (u32, u32) {
        let q = (((n >> self.drop) * self.m as u64) >> self.shift) as u32;
        let r = n - q as u64 * self.d as u64; // below 2 d
        let (q, r) = if r >= self.d as u64 { (q + 1, r - self.d as u64) } else { (q, r) };
        (q, r as u32)
    }
}

/// The taps of one phase along one axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Phase {
    /// Residue class of the kernel index; the weights of a phase are packed by it.
    pub(crate) class: usize,
    /// Number of taps; 0 when no input reaches the phase.
    pub(crate) taps: usize,
    /// Input position of the first tap for the phase's first output; further taps ascend by `Axis::tap_step`.
    pub(crate) first: isize,
}

/// What an output reads along one axis.
pub(crate) struct Reach {
    /// Its class, and how many taps that has.
    pub(crate) class: usize,
    pub(crate) taps: usize,
    /// Taps before the input, those inside, and the input that the first of these reads.
    pub(crate) before: usize,
    pub(crate) inside: usize,
    pub(crate) from: usize,
}

/// All phases along one axis: the outputs of all classes, in their order, that read the same inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Alike {
    /// Number of taps of each class.
    pub(crate) taps: usize,
    /// Input position of the first tap for the first such outputs.
    pub(crate) first: isize,
    /// How often there are such outputs, how many classes the first ones lack, and how many the last ones have.
    pub(crate) count: usize,
    pub(crate) skip: usize,
    pub(crate) last: usize,
}

/// The geometry of one axis.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Axis {
    pub(crate) input: usize,
    pub(crate) output: usize,
    /// Outputs of one phase lie this far apart; also the number of phases.
    pub(crate) out_step: usize,
    /// ... and start reading inputs this far apart.
    pub(crate) in_step: usize,
    /// Neighbouring taps of a phase read inputs this far apart.
    pub(crate) tap_step: usize,
    kernel: usize,
    transposed: bool,
    /// Of stride and dilation.
    gcd: usize,
    /// Number of residue classes of the kernel index.
    classes: usize,
    /// Solves `dilation / g * k ≡ t (mod classes)`: k = t * inverse mod classes.
    inverse: usize,
    /// Taps of every class, and the number of classes that have one more.
    full: usize,
    extra: usize,
    /// The first phase; the next ones follow by `Axis::next`.
    start: Cursor,
    /// What an input position changes by from one reached phase to the next, where the class does not wrap.
    slope: isize,
    /// ceil(2^32 / out_step), for steps above 1.
    per_step: u32,
}

/// A phase and how to go on from it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor {
    /// Phases until the next one that inputs reach.
    wait: usize,
    /// Its residue class, and the input that its tap of the smallest kernel index reads.
    class: usize,
    last: isize,
}

/// How errors call an axis and its parameters.
pub(crate) struct AxisNames {
    axis: &'static str,
    kernel: &'static str,
    stride: &'static str,
    dilation: &'static str,
    padding: &'static str,
    output_padding: &'static str,
}

pub(crate) const HEIGHT: AxisNames = AxisNames {
    axis: "height",
    kernel: "kernel height",
    stride: "stride height",
    dilation: "dilation height",
    padding: "padding top + bottom",
    output_padding: "output padding height",
};

pub(crate) const WIDTH: AxisNames = AxisNames {
    axis: "width",
    kernel: "kernel width",
    stride: "stride width",
    dilation: "dilation width",
    padding: "padding left + right",
    output_padding: "output padding width",
};

/// What a person gives for one axis.
pub(crate) struct AxisGeometry {
    pub(crate) input: usize,
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
    pub(crate) dilation: usize,
    pub(crate) pad: [usize; 2],
    pub(crate) output_padding: usize,
}

impl AxisGeometry {
    const fn check(&self, names: &AxisNames) -> Result<(), Error> {
        let checks = [(names.kernel, self.kernel), (names.stride, self.stride), (names.dilation, self.dilation)];
        let mut i = 0;
        while i < checks.len() {
            if let Err(e) = side(checks[i].0, checks[i].1) {
                return Err(e);
            }
            i += 1;
        }
        if let Err(Error::Range { what, got, max, .. }) = side(names.padding, self.pad[0].saturating_add(self.pad[1])) {
            return Err(Error::Range { what, got, min: 0, max });
        }
        Ok(())
    }
}

impl Axis {
    /// `out = (in - 1) * s - pb - pe + d * (k - 1) + op + 1`, op < max(s, d)   (PyTorch's formula)
    pub(crate) const fn conv_transpose(a: AxisGeometry, names: &AxisNames) -> Result<Axis, Error> {
        if let Err(e) = a.check(names) {
            return Err(e);
        }
        let most = if a.stride > a.dilation { a.stride } else { a.dilation } - 1;
        if a.output_padding > most {
            let (what, got) = (names.output_padding, signed(a.output_padding));
            return Err(Error::Range { what, got, min: 0, max: most as i64 });
        }
        let size = (a.input as i64 - 1) * a.stride as i64 - (a.pad[0] + a.pad[1]) as i64
            + a.dilation as i64 * (a.kernel as i64 - 1)
            + a.output_padding as i64
            + 1;
        Axis::new(a, size, true, names)
    }

    /// `out = floor((in + pb + pe - d * (k - 1) - 1) / s) + 1`
    pub(crate) const fn conv(a: AxisGeometry, names: &AxisNames) -> Result<Axis, Error> {
        if let Err(e) = a.check(names) {
            return Err(e);
        }
        if a.output_padding != 0 {
            let (what, got) = (names.output_padding, signed(a.output_padding));
            return Err(Error::Range { what, got, min: 0, max: 0 });
        }
        let room = (a.input + a.pad[0] + a.pad[1]) as i64 - a.dilation as i64 * (a.kernel as i64 - 1) - 1;
        let size = if room < 0 { room + 1 } else { room / a.stride as i64 + 1 };
        Axis::new(a, size, false, names)
    }

    const fn new(a: AxisGeometry, size: i64, transposed: bool, names: &AxisNames) -> Result<Axis, Error> {
        if size < 1 {
            return Err(Error::NoOutput { axis: names.axis, size });
        }
        let g = if transposed { gcd(a.stride, a.dilation) } else { 1 };
        let g = if g == 0 { 1 } else { g };
        let classes = if transposed { a.stride / g } else { 1 };
        let classes = if classes == 0 { 1 } else { classes };
        let tap_step = a.dilation / g;
        let inverse = inverse(tap_step, classes);
        // The first t = r + p that g divides; all divisions by s are exact.
        let stride = if a.stride == 0 { 1 } else { a.stride }; // checked
        let (pad, d, s) = (a.pad[0], a.dilation as i64, stride as i64);
        let (u, wait) = (pad.div_ceil(g), pad.div_ceil(g) * g - pad);
        let class = ((u as u64 * inverse as u64) % classes as u64) as usize;
        let start = if transposed {
            Cursor { wait, class, last: ((u * g) as i64 - d * class as i64).wrapping_div(s) as isize }
        } else {
            Cursor { wait: 0, class: 0, last: ((a.kernel as i64 - 1) * d - pad as i64) as isize }
        };
        let out_step = if transposed { stride } else { 1 };
        Ok(Axis {
            input: a.input,
            output: size as usize,
            out_step,
            in_step: if transposed { 1 } else { a.stride },
            tap_step,
            kernel: a.kernel,
            transposed,
            gcd: g,
            classes,
            inverse,
            full: a.kernel / classes,
            extra: a.kernel % classes,
            start,
            slope: (g as i64 - d * inverse as i64).wrapping_div(s) as isize,
            per_step: ((1u64 << 32).div_ceil(out_step as u64)) as u32,
        })
    }

    /// Kernel size.
    pub(crate) const fn kernel(&self) -> usize {
        self.kernel
    }

    /// Taps of a residue class; class 0 has most.
    pub(crate) const fn taps(&self, class: usize) -> usize {
        self.full + (class < self.extra) as usize
    }

    /// Taps of all classes before this one.
    pub(crate) const fn taps_before(&self, class: usize) -> usize {
        class * self.full + if class < self.extra { class } else { self.extra }
    }

    /// Residue classes that have a tap.
    pub(crate) const fn used_classes(&self) -> usize {
        if self.full == 0 { self.extra } else { self.classes }
    }

    /// The kernel index of a class's tap, taps counted in the order of the inputs that they read.
    pub(crate) const fn kernel_index(&self, class: usize, tap: usize) -> usize {
        if self.transposed { class + (self.taps(class) - 1 - tap) * self.classes } else { tap }
    }

    /// The phases in order, as often as you ask.
    pub(crate) fn phases(&self) -> impl Iterator<Item = Phase> + '_ {
        let mut cursor = self.start;
        (0..self.out_step.min(self.output)).map(move |_| {
            let this = anew(self);
            let phase = this.phase(cursor);
            cursor = this.next(cursor);
            phase
        })
    }

    /// All phases as one, where they are alike: as many as classes, of as many taps each.
    #[inline]
    pub(crate) const fn alike(&self) -> Option<Alike> {
        let alike = self.transposed && self.gcd == 1 && self.tap_step == 1 && self.extra == 0 && self.full > 0;
        // So that `step` is exact.
        if !alike || self.out_step == 1 || self.output + self.out_step > 1 << 16 {
            return None;
        }
        let Phase { class, taps, first } = self.phase(self.start);
        let (steps, last) = self.step(self.output - 1 + class);
        Some(Alike { taps, first, skip: class, count: steps + 1, last: last + 1 })
    }

    /// Whether each output has a single tap, which reads an input.
    pub(crate) const fn single_tap(&self) -> bool {
        let [first, last] = [self.at(0), self.at(self.output - 1)];
        self.gcd == 1
            && self.tap_step == 1
            && self.full == 1
            && self.extra == 0
            && first.first >= 0
            && last.first < self.input as isize
    }

    /// The phase of a cursor.
    const fn phase(&self, cursor: Cursor) -> Phase {
        let taps = if cursor.wait == 0 { self.taps(cursor.class) } else { 0 };
        if taps == 0 {
            return Phase { class: 0, taps: 0, first: 0 };
        }
        Phase { class: cursor.class, taps, first: cursor.last - ((taps - 1) * self.tap_step) as isize }
    }

    /// The cursor of the next phase: t grows by 1, and by g from one reached phase to the next.
    const fn next(&self, Cursor { wait, mut class, mut last }: Cursor) -> Cursor {
        if wait > 0 {
            return Cursor { wait: wait - 1, class, last };
        }
        // (t + g - d * (class + inverse)) / s, and d * classes / s = d / g more where the class wraps.
        (class, last) = (class + self.inverse, last + self.slope);
        if class >= self.classes {
            (class, last) = (class - self.classes, last + self.tap_step as isize);
        }
        Cursor { wait: self.gcd - 1, class, last }
    }

    /// The phase of output `o`, its `first` moved to that output.
    #[inline(always)]
    pub(crate) const fn at(&self, o: usize) -> Phase {
        let (step, r) = self.step(o);
        let mut phase = self.phase(match r {
            0 => self.start,
            // `next` r times: class + r · inverse < 256 · 255 < 2^16, and classes = out_step, so that `step` is exact.
            _ if self.gcd == 1 && self.out_step < 256 => {
                let Cursor { class, last, .. } = self.start;
                let (wraps, class) = self.step(class + r * self.inverse);
                let last = last + r as isize * self.slope + (wraps * self.tap_step) as isize;
                Cursor { wait: 0, class, last }
            }
            _ => self.after(r),
        });
        phase.first += (step * self.in_step) as isize;
        phase
    }

    /// The cursor of phase `r`.
    #[cold]
    #[inline(never)]
    const fn after(&self, mut r: usize) -> Cursor {
        let mut cursor = self.start;
        while r > 0 {
            cursor = self.next(cursor);
            r -= 1;
        }
        cursor
    }

    /// Outputs of phase `r`, which exists.
    pub(crate) const fn len(&self, r: usize) -> usize {
        self.step(self.output - 1 - r).0 + 1
    }

    /// `o` in steps between outputs of one phase, and its phase.
    #[inline]
    const fn step(&self, o: usize) -> (usize, usize) {
        if self.out_step == 1 {
            return (o, 0);
        }
        // Bounds: o < 2^16 and ceil(2^32 / d) − 2^32 / d < 1 < 2^16 / d: exact.
        let q = ((o as u64 * self.per_step as u64) >> 32) as usize;
        (q, o - q * self.out_step)
    }

    /// The taps that fall inside the input when the first one reads `first`: (taps before, taps inside).
    #[inline]
    pub(crate) const fn clip(&self, first: isize, taps: usize) -> (usize, usize) {
        if first >= 0 && first as usize + taps * self.tap_step < self.input + self.tap_step {
            return (0, taps);
        }
        if self.tap_step == 1 {
            let before = crate::plan::min(first.unsigned_abs() * (first < 0) as usize, taps);
            let behind = self.input as isize - first;
            let end = crate::plan::min(behind.unsigned_abs() * (behind > 0) as usize, taps);
            return (before, end.saturating_sub(before));
        }
        self.clip_dilated(first, taps)
    }

    /// The same for taps that do not lie side by side.
    #[cold]
    #[inline(never)]
    const fn clip_dilated(&self, mut first: isize, taps: usize) -> (usize, usize) {
        let mut before = 0;
        while first < 0 && before < taps {
            first += self.tap_step as isize;
            before += 1;
        }
        let mut inside = taps - before;
        while inside > 0 && first + ((inside - 1) * self.tap_step) as isize >= self.input as isize {
            inside -= 1;
        }
        (before, inside)
    }

    /// Input positions that output `o` reads, inside the input; empty when it reads none.
    pub(crate) const fn reads(&self, o: usize) -> core::ops::Range<usize> {
        let Reach { from, inside, .. } = self.reach(o);
        if inside == 0 { 0..0 } else { from..from + (inside - 1) * self.tap_step + 1 }
    }

    /// [`reach_inline`](Self::reach_inline), by itself.
    #[inline(never)]
    pub(crate) const fn reach(&self, o: usize) -> Reach {
        self.reach_inline(o)
    }

    /// The phase of output `o`, and its taps that fall inside the input.
    #[inline(always)]
    pub(crate) const fn reach_inline(&self, o: usize) -> Reach {
        let Phase { class, taps, first } = self.at(o);
        let (before, inside) = self.clip(first, taps);
        Reach { class, taps, before, inside, from: (first + (before * self.tap_step) as isize) as usize }
    }

    /// (input, tap) pairs that land inside the output.
    pub(crate) fn pairs(&self) -> u64 {
        (0..self.output).map(|o| self.reach(o).inside as u64).sum()
    }
}

pub(crate) const fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// The inverse of `a` modulo `m`, which have no common divisor.
const fn inverse(a: usize, m: usize) -> usize {
    // Euclid: invariant r = a * t (mod m).
    let (mut r, mut next_r) = (m as i64, (a % m) as i64);
    let (mut t, mut next_t) = (0i64, 1i64);
    while next_r != 0 {
        let q = r.wrapping_div(next_r);
        (r, next_r) = (next_r, r - q * next_r);
        (t, next_t) = (next_t, t - q * next_t);
    }
    t.wrapping_rem_euclid(m as i64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reciprocal_divides_exactly() {
        let divisors = (1..300u32)
            .chain((8..32).flat_map(|b| [(1u32 << b) - 1, 1 << b, (1 << b) + 1]))
            .chain([u32::MAX, 65534 * 65534]);
        for d in divisors {
            let r = Reciprocal::new(d);
            let quotients = [0u64, 1, 2, 3, 100, 255, 256, 32767, 32768, 65534, 65535];
            for q in quotients {
                for rest in [0, 1, d / 2, d.saturating_sub(2), d - 1] {
                    let rest = rest.min(d - 1);
                    assert_eq!(r.div_rem(q * d as u64 + rest as u64), (q as u32, rest), "d = {d}");
                }
            }
        }
    }

    #[test]
    fn a_single_tap_lies_inside() {
        let conv = |kernel, pad| {
            let geometry = AxisGeometry { input: 5, kernel, stride: 2, dilation: 1, pad, output_padding: 0 };
            Axis::conv(geometry, &HEIGHT).unwrap().single_tap()
        };
        assert!(conv(1, [0, 0]));
        assert!(![conv(2, [0, 0]), conv(1, [1, 0]), conv(1, [0, 2])].contains(&true));
    }

    /// The taps that land on each output, straight from `o = i * s - p + d * k`.
    fn by_scatter(a: &Axis, s: usize, dilation: usize, pad: usize) -> Vec<Vec<(isize, usize)>> {
        let mut hits = vec![Vec::new(); a.output];
        for i in 0..a.input {
            for k in 0..a.kernel {
                let o = (i * s + dilation * k) as isize - pad as isize;
                if let Some(hit) = usize::try_from(o).ok().and_then(|o| hits.get_mut(o)) {
                    hit.push((i as isize, k));
                }
            }
        }
        hits
    }

    #[test]
    fn phases_hold_exactly_the_taps_that_scatter_hits() {
        let (mut cases, mut single) = (0, 0);
        for (input, kernel, stride, dilation) in (1..6)
            .flat_map(|i| (1..7).flat_map(move |k| (1..7).flat_map(move |s| (1..7).map(move |d| (i, k, s, d)))))
            .step_by(if cfg!(miri) { 7 } else { 1 })
        {
            for pad in (0..6).step_by(if cfg!(miri) { 4 } else { 1 }) {
                for output_padding in (0..stride.max(dilation)).step_by(if cfg!(miri) { 5 } else { 1 }) {
                    let geometry =
                        AxisGeometry { input, kernel, stride, dilation, pad: [pad, pad / 2], output_padding };
                    let Ok(a) = Axis::conv_transpose(geometry, &HEIGHT) else { continue };
                    let hits = by_scatter(&a, stride, dilation, pad);
                    single += usize::from(a.single_tap());
                    assert!(!a.single_tap() || hits.iter().all(|hit| hit.len() == 1), "{a:?}");
                    let lens = (0..stride.min(a.output)).map(|r| a.len(r));
                    assert_eq!(lens.sum::<usize>(), a.output);
                    let walked: Vec<_> = a.phases().collect();
                    for (o, mut hit) in hits.into_iter().enumerate() {
                        let phase = a.at(o);
                        let again = walked[o % stride];
                        assert_eq!((phase.class, phase.taps), (again.class, again.taps));
                        assert!(phase.taps == 0 || phase.first == again.first + (o / stride) as isize);
                        let (before, inside) = a.clip(phase.first, phase.taps);
                        let mut ours: Vec<_> = (before..before + inside)
                            .map(|t| (phase.first + (t * a.tap_step) as isize, a.kernel_index(phase.class, t)))
                            .collect();
                        ours.sort();
                        hit.sort();
                        assert_eq!(ours, hit, "output {o} of {a:?}");
                        let rows = a.reads(o);
                        assert_eq!(rows.len(), hit.last().map_or(0, |l| (l.0 - hit[0].0 + 1) as usize));
                    }
                    cases += 1;
                }
            }
        }
        assert!(cfg!(miri) || cases > 5000 && single > 20, "{cases}, {single}");
    }
}
