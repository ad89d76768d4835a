//! The inputs of a single pixel as loops in assembly take them: where each piece of neighbouring values lies, and its weights.

use super::Pixel;
use core::mem::MaybeUninit;
use core::ops::Range;

impl<T> Pixel<'_, T> {
    /// Lists piece `i` of `count` rows from row `row` on, with their weights in w. Not all, and false, where the window does not hold the rows.
    #[inline(always)]
    fn list<W>(&self, w: *const W, [i, row, count]: [usize; 3], pieces: &mut [MaybeUninit<Piece>; PIECES]) -> bool {
        let (top, from) = (self.top + row * self.row_step, self.from + i * self.step);
        let mut w = w.wrapping_add(self.skip + row * self.row + i * self.len);
        let mut to = pieces.iter_mut();
        self.x.pieces(top, self.row_step, count, from, self.len, |x| {
            if let Some(to) = to.next() {
                to.write(Piece { x: x.as_ptr().cast(), w: w.cast() });
            }
            w = w.wrapping_add(self.row);
        })
    }

    /// Calls the function with all pieces, a range of them at a time, and whether it is the last; w are the first channel's weights. False where the
    /// window does not hold the rows.
    #[inline(always)]
    pub(super) fn pieces<W>(&self, w: *const W, mut to: impl FnMut(Range<*mut Piece>, bool)) -> bool {
        let mut pieces = [const { MaybeUninit::uninit() }; PIECES];
        if self.pieces > 1 || self.rows > PIECES {
            return self.many(w, &mut pieces, to);
        }
        let whole = self.list(w, [0, 0, self.rows], &mut pieces);
        if whole {
            let first = pieces.as_mut_ptr().cast::<Piece>();
            to(first..first.wrapping_add(self.rows), true);
        }
        whole
    }

    #[inline(never)]
    fn many<W>(
        &self,
        w: *const W,
        pieces: &mut [MaybeUninit<Piece>; PIECES],
        mut to: impl FnMut(Range<*mut Piece>, bool),
    ) -> bool {
        for i in 0..self.pieces {
            let mut row = 0;
            while row < self.rows {
                let count = (self.rows - row).min(PIECES);
                if !self.list(w, [i, row, count], pieces) {
                    return false;
                }
                row += count;
                let first = pieces.as_mut_ptr().cast::<Piece>();
                to(first..first.wrapping_add(count), row == self.rows && i + 1 == self.pieces);
            }
        }
        true
    }
}

/// Neighbouring inputs, and the weights of the first channel for them.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Piece {
    pub(super) x: *const (),
    pub(super) w: *const (),
}

/// Pieces whose products are added in one call.
pub(super) const PIECES: usize = 16;
