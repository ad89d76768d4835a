//! Resizing without parameters: nearest and bilinear.

mod linear;
mod nearest;

pub use linear::Bilinear;
pub use nearest::Nearest;

use crate::{Coordinates, Error, Shape};

/// `nn.Upsample`: plans a resize.
pub enum Upsample {}

impl Upsample {
    /// Repeats every pixel `fh` times downwards and `fw` times to the right: `y[oy, ox] = x[oy / fh, ox / fw]`.
    ///
    /// `nn.Upsample(scale_factor=(fh, fw), mode="nearest")`, exact.
    ///
    /// # Errors
    /// [`Error`] names a factor or size that is 0 or too large.
    pub const fn nearest(input: Shape, fh: usize, fw: usize) -> Result<Nearest, Error> {
        Nearest::new(input, fh, fw)
    }

    /// Bilinear resize to `oh` x `ow`, any sizes.
    ///
    /// `nn.Upsample(size=(oh, ow), mode="bilinear", align_corners=…)`. Positions and weights are exact fractions, so
    /// the result is the real value rounded once, ties up. Scale and zero point stay those of the input.
    ///
    /// ```
    /// use upconv::{Bound, Coordinates, Shape, Upsample};
    /// let up = Upsample::bilinear(Shape::new(1, 2, 1), 1, 4, Coordinates::HalfPixel)?;
    /// let mut y = [0i8; 4];
    /// Bound::whole(&up, &[0, 100], &mut y)?.run();
    /// assert_eq!(y, [0, 25, 75, 100]);
    /// # Ok::<(), upconv::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error`] names a size that is 0 or too large.
    pub const fn bilinear(input: Shape, oh: usize, ow: usize, coordinates: Coordinates) -> Result<Bilinear, Error> {
        Bilinear::new(input, oh, ow, coordinates)
    }
}
