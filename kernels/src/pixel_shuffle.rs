//! Sub-pixel shuffles: channels become pixels, and back. Permutations, so exact, and scale and zero point stay.
//!
//! A coarse pixel of `rh · rw · C` channels stands for a block of rh x rw fine pixels of C channels. Channel c of the fine pixel
//! (dy, dx) of the block is this coarse channel:
//!
//! ```text
//! DCR   (dy · rw + dx) · C + c         each fine pixel is a run
//! CRD   c · rh · rw + dy · rw + dx     each fine pixel is every (rh · rw)-th channel
//! ```

use crate::arch::copy::copy_runs;
use crate::coords::Divide;
use crate::phase::Reciprocal;
use crate::reads::{Rows, Spec, described};
use crate::shape::{INPUT, OUTPUT, all, side};
use crate::{Element, Error, Layer, Shape, Window};
use core::ops::Range;

/// Which coarse channel is which channel of which fine pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ShuffleOrder {
    /// Depth, column, row: `(dy · rw + dx) · C + c`. TFLite, and ONNX's default.
    Dcr,
    /// Column, row, depth: `c · rh · rw + dy · rw + dx`. PyTorch, and ONNX's other mode.
    Crd,
}

/// What both directions share.
#[derive(Clone, Copy, Debug)]
struct Blocks {
    coarse: Shape,
    fine: Shape,
    rh: usize,
    rw: usize,
    /// The coarse channel of a block's next fine pixel lies this much further.
    pixel_step: usize,
    /// ... and the next one of the same fine pixel this much.
    channel_step: usize,
    by_rows: Reciprocal,
    /// The same in 32 bits.
    by: Option<Divide>,
}

impl Blocks {
    /// Both shapes have been checked.
    const fn new(coarse: Shape, fine: Shape, rh: usize, rw: usize, order: ShuffleOrder) -> Self {
        let (pixel_step, channel_step) = match order {
            ShuffleOrder::Dcr => (fine.c, 1),
            ShuffleOrder::Crd => (1, rh * rw),
        };
        Blocks {
            coarse,
            fine,
            rh,
            rw,
            pixel_step,
            channel_step,
            by_rows: Reciprocal::new(rh as u32),
            by: Divide::new(rh as u32),
        }
    }

    /// The coarse row of a fine one, and its number in the block.
    fn row(&self, fine: usize) -> (usize, usize) {
        // Bounds: both are sides, below 2^15. There always is a divisor.
        let coarse = self.by.map_or(0, |by| by.quotient(fine as u32) as usize);
        (coarse, fine - coarse * self.rh)
    }

    /// The values that lie side by side in both tensors, where a fine pixel's channels do.
    fn run(&self) -> usize {
        self.rw * self.fine.c
    }

    /// Calls `f` for all pixels of a fine row that is number `dy` in its block, with where they start in the coarse and in the fine row.
    fn pixels(&self, dy: usize, mut f: impl FnMut(usize, usize)) {
        let (mut block, mut fine) = (dy * self.rw * self.pixel_step, 0);
        for _ in 0..self.coarse.w {
            let mut coarse = block;
            for _ in 0..self.rw {
                f(coarse, fine);
                coarse += self.pixel_step;
                fine += self.fine.c;
            }
            block += self.coarse.c;
        }
    }
}

/// `to[t + i · t_step] = from[f + i · f_step]` for i below `count`.
#[inline]
fn spread<T: Element>(
    from: &[T],
    (mut f, f_step): (usize, usize),
    to: &mut [T],
    (mut t, t_step): (usize, usize),
    count: usize,
) {
    for _ in 0..count {
        if let (Some(y), Some(x)) = (to.get_mut(t), from.get(f)) {
            *y = *x;
        }
        f += f_step;
        t += t_step;
    }
}

const fn check(input: Shape, rh: usize, rw: usize) -> Result<(), Error> {
    all(&[input.check(&INPUT), side("the block height", rh), side("the block width", rw)])
}

/// Depth to space: `rh · rw` channels become a block of pixels.
#[derive(Clone, Copy, Debug)]
pub struct PixelShuffle(Blocks);

impl PixelShuffle {
    /// Plans `nn.PixelShuffle(r)`, ONNX and TFLite `DepthToSpace`: h x w x (rh · rw · C) to (rh · h) x (rw · w) x C.
    ///
    /// `y[oy, ox, c] = x[oy / rh, ox / rw, k]`, k being the `order`'s channel for `(oy mod rh, ox mod rw, c)`. Exact.
    /// A signal takes rh = 1.
    ///
    /// # Errors
    /// [`Error::NotDivisible`] when the input's channels are not a multiple of rh · rw; others name a size that is 0 or too large.
    ///
    /// ```
    /// use upconv::{Bound, PixelShuffle, Shape, ShuffleOrder};
    /// let (x, mut y) = ([0i8, 1, 2, 3, 4, 5, 6, 7], [0; 8]);
    /// let up = PixelShuffle::plan(Shape::new(1, 1, 8), 2, 2, ShuffleOrder::Dcr)?;
    /// Bound::whole(&up, &x, &mut y)?.run();
    /// assert_eq!(y, [0, 1, 2, 3, 4, 5, 6, 7]); // two rows of two pixels of two channels
    /// let up = PixelShuffle::plan(Shape::new(1, 1, 8), 2, 2, ShuffleOrder::Crd)?;
    /// Bound::whole(&up, &x, &mut y)?.run();
    /// assert_eq!(y, [0, 4, 1, 5, 2, 6, 3, 7]);
    /// # Ok::<(), upconv::Error>(())
    /// ```
    pub const fn plan(input: Shape, rh: usize, rw: usize, order: ShuffleOrder) -> Result<Self, Error> {
        if let Err(e) = check(input, rh, rw) {
            return Err(e);
        }
        let by = rh * rw;
        let c = match input.c.checked_div(by) {
            Some(c) if c * by == input.c => c,
            _ => return Err(Error::NotDivisible { what: "input channels", got: input.c, by }),
        };
        let output = Shape::new(input.h * rh, input.w * rw, c);
        match output.check(&OUTPUT) {
            Ok(()) => Ok(PixelShuffle(Blocks::new(input, output, rh, rw, order))),
            Err(e) => Err(e),
        }
    }

    pub(crate) const fn spec(&self) -> Spec<'_> {
        Spec::layer(self.0.coarse, self.0.fine, Rows::Repeated(&self.0.by_rows))
    }
}

impl<T: Element> Layer<T> for PixelShuffle {
    described!();

    fn macs(&self) -> u64 {
        0
    }

    #[inline(never)]
    fn row(&self, oy: usize, x: &Window<'_, T>, y: &mut [T]) {
        let blocks = &self.0;
        let (iy, dy) = blocks.row(oy);
        let row = x.row(iy);
        if blocks.channel_step == 1 {
            let x = row.get(dy * blocks.run()..).unwrap_or_default();
            return copy_runs((x, blocks.coarse.c), (y, blocks.run()), blocks.run(), blocks.coarse.w);
        }
        blocks.pixels(dy, |coarse, fine| {
            spread(row, (coarse, blocks.channel_step), y, (fine, 1), blocks.fine.c);
        });
    }
}

/// Space to depth, the inverse of [`PixelShuffle`]: a block of pixels becomes `rh · rw` times as many channels.
#[derive(Clone, Copy, Debug)]
pub struct PixelUnshuffle(Blocks);

impl PixelUnshuffle {
    /// Plans `nn.PixelUnshuffle(r)`, ONNX and TFLite `SpaceToDepth`: (rh · h) x (rw · w) x C to h x w x (rh · rw · C).
    ///
    /// `y[oy, ox, k] = x[oy · rh + dy, ox · rw + dx, c]`, k being the `order`'s channel for (dy, dx, c). Exact.
    ///
    /// # Errors
    /// [`Error::NotDivisible`] when the input's height is not a multiple of rh or its width of rw; others name a size that is 0 or
    /// too large.
    ///
    /// ```
    /// use upconv::{Bound, PixelUnshuffle, Shape, ShuffleOrder};
    /// let down = PixelUnshuffle::plan(Shape::new(2, 2, 2), 2, 2, ShuffleOrder::Crd)?;
    /// let mut y = [0i8; 8];
    /// Bound::whole(&down, &[0, 4, 1, 5, 2, 6, 3, 7], &mut y)?.run();
    /// assert_eq!(y, [0, 1, 2, 3, 4, 5, 6, 7]);
    /// # Ok::<(), upconv::Error>(())
    /// ```
    pub const fn plan(input: Shape, rh: usize, rw: usize, order: ShuffleOrder) -> Result<Self, Error> {
        if let Err(e) = check(input, rh, rw) {
            return Err(e);
        }
        let (h, w) = match (input.h.checked_div(rh), input.w.checked_div(rw)) {
            (Some(h), _) if h * rh != input.h => {
                return Err(Error::NotDivisible { what: "input height", got: input.h, by: rh });
            }
            (Some(h), Some(w)) if w * rw == input.w => (h, w),
            _ => return Err(Error::NotDivisible { what: "input width", got: input.w, by: rw }),
        };
        // Bounds: rh <= h and rw <= w of the input, whose values number less than 2^31.
        let output = Shape::new(h, w, input.c * rh * rw);
        Ok(PixelUnshuffle(Blocks::new(output, input, rh, rw, order)))
    }

    pub(crate) const fn spec(&self) -> Spec<'_> {
        Spec::layer(self.0.fine, self.0.coarse, Rows::Blocks(self.0.rh))
    }
}

impl<T: Element> Layer<T> for PixelUnshuffle {
    described!();

    fn macs(&self) -> u64 {
        0
    }

    #[inline(never)]
    fn row(&self, oy: usize, x: &Window<'_, T>, y: &mut [T]) {
        let blocks = &self.0;
        for dy in 0..blocks.rh {
            let row = x.row(oy * blocks.rh + dy);
            if blocks.channel_step == 1 {
                let y = y.get_mut(dy * blocks.run()..).unwrap_or_default();
                copy_runs((row, blocks.run()), (y, blocks.coarse.c), blocks.run(), blocks.coarse.w);
                continue;
            }
            blocks.pixels(dy, |coarse, fine| {
                spread(row, (fine, 1), y, (coarse, blocks.channel_step), blocks.fine.c);
            });
        }
    }
}
