//! Nearest-neighbour upsampling by whole factors: copies.

use crate::phase::Reciprocal;
use crate::rows::cut;
use crate::shape::{INPUT, OUTPUT, side};
use crate::{Element, Error, Layer, Shape, Window};
use core::ops::Range;

/// A planned nearest-neighbour upsample; made by [`Upsample::nearest`](crate::Upsample::nearest).
#[derive(Clone, Copy, Debug)]
pub struct Nearest {
    input: Shape,
    output: Shape,
    columns: usize,
    by_rows: Reciprocal,
}

impl Nearest {
    pub(crate) const fn new(input: Shape, fh: usize, fw: usize) -> Result<Self, Error> {
        let checks = [input.check(&INPUT), side("the height factor", fh), side("the width factor", fw)];
        let mut i = 0;
        while i < checks.len() {
            if let Err(e) = checks[i] {
                return Err(e);
            }
            i += 1;
        }
        let output = Shape::new(input.h * fh, input.w * fw, input.c);
        match output.check(&OUTPUT) {
            Ok(()) => Ok(Nearest { input, output, columns: fw, by_rows: Reciprocal::new(fh as u32) }),
            Err(e) => Err(e),
        }
    }
}

impl<T: Element> Layer<T> for Nearest {
    fn input(&self) -> Shape {
        self.input
    }

    fn output(&self) -> Shape {
        self.output
    }

    fn reads(&self, oy: usize) -> Range<usize> {
        let iy = self.by_rows.div_rem(oy as u64).0 as usize;
        iy..iy + 1
    }

    fn macs(&self) -> u64 {
        0
    }

    #[inline(never)]
    fn row(&self, oy: usize, x: &Window<'_, T>, y: &mut [T]) {
        let row = x.row(self.by_rows.div_rem(oy as u64).0 as usize);
        let mut out = y;
        for ix in 0..self.input.w {
            let pixel = cut(row, ix * self.input.c, self.input.c);
            for _ in 0..self.columns {
                let Some((to, rest)) = out.split_at_mut_checked(self.input.c) else { return };
                for (y, x) in to.iter_mut().zip(pixel) {
                    *y = *x;
                }
                out = rest;
            }
        }
    }
}
