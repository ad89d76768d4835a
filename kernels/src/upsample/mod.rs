//! Resizing without parameters: nearest, linear, cubic, area. Up or down, by size or by scale.

mod area;
mod cubic;
mod linear;
mod nearest;

pub use area::Area;
pub(crate) use area::span;
pub use cubic::{Bicubic, Cubic};
pub use linear::{Bilinear, Numerics};
pub use nearest::{Gather, Nearest, NearestMode, tflite_nearest, torch_nearest, torch_nearest_exact};

use crate::shape::{INPUT, OUTPUT};
use crate::{Error, Resize, Shape};

/// `nn.Upsample`, ONNX `Resize`: plans a resize. Scale and zero point stay those of the input.
///
/// | PyTorch `mode`      | here                                                                                             |
/// |---------------------|--------------------------------------------------------------------------------------------------|
/// | `nearest`           | [`nearest`](Self::nearest) by whole factors; [`nearest_by`](Self::nearest_by) with `Asymmetric`, `Floor`; bit for bit at every ratio: [`gather`](Self::gather) with [`torch_nearest`] |
/// | `nearest-exact`     | [`nearest_by`](Self::nearest_by) with `HalfPixel`, `RoundPreferCeil`                             |
/// | `linear`, `bilinear`| [`bilinear`](Self::bilinear), a signal with h = 1                                                |
/// | `bicubic`           | [`bicubic`](Self::bicubic)                                                                       |
/// | `area`              | [`area`](Self::area)                                                                             |
pub enum Upsample {}

impl Upsample {
    /// Repeats every pixel `fh` times downwards and `fw` times to the right: `y[oy, ox] = x[oy / fh, ox / fw]`.
    ///
    /// `nn.Upsample(scale_factor=(fh, fw), mode="nearest")`, exact.
    ///
    /// ```
    /// use upconv::{Bound, Shape, Upsample};
    /// let up = Upsample::nearest(Shape::new(1, 2, 1), 2, 3)?;
    /// let mut y = [0i8; 12];
    /// Bound::whole(&up, &[1, 2], &mut y)?.run();
    /// assert_eq!(y, [1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2]);
    /// # Ok::<(), upconv::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error`] names a factor or size that is 0 or too large.
    pub const fn nearest(input: Shape, fh: usize, fw: usize) -> Result<Nearest, Error> {
        Nearest::repeat(input, fh, fw)
    }

    /// Nearest neighbour at any ratio: the sampled position, rounded as `mode` says, clamped to the input. Exact.
    ///
    /// # Errors
    /// [`Error`] names a size that is 0 or too large.
    ///
    /// ```
    /// use upconv::{Bound, NearestMode, Resize, Shape, Upsample};
    /// let up = Upsample::nearest_by(Shape::new(1, 3, 1), Resize::to(1, 5), NearestMode::RoundPreferCeil)?;
    /// let mut y = [0i8; 5];
    /// Bound::whole(&up, &[1, 2, 3], &mut y)?.run();
    /// assert_eq!(y, [1, 1, 2, 3, 3]); // PyTorch's nearest-exact
    /// # Ok::<(), upconv::Error>(())
    /// ```
    pub const fn nearest_by(input: Shape, resize: Resize, mode: NearestMode) -> Result<Nearest, Error> {
        Nearest::by(input, resize, mode)
    }

    /// Picks rows and columns by tables: `y[oy, ox] = x[rows[oy], columns[ox]]`.
    ///
    /// For results that come from a float computation, such as [`torch_nearest`] and [`tflite_nearest`], and for flips and crops.
    ///
    /// ```
    /// use upconv::{Bound, Shape, Upsample, torch_nearest};
    /// static COLUMNS: [u16; 5] = torch_nearest(3, None);
    /// let (up, mut y) = (Upsample::gather(Shape::new(1, 3, 1), &[0], &COLUMNS)?, [0i8; 5]);
    /// Bound::whole(&up, &[1, 2, 3], &mut y)?.run();
    /// assert_eq!(y, [1, 1, 2, 2, 3]);
    /// let flip = Upsample::gather(Shape::new(1, 3, 1), &[0], &[2, 1, 0])?;
    /// # let mut y = [0i8; 3];
    /// # Bound::whole(&flip, &[1, 2, 3], &mut y)?.run();
    /// # assert_eq!(y, [3, 2, 1]);
    /// # Ok::<(), upconv::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error`] names a size that is 0 or too large, or a table entry outside the input.
    pub const fn gather<'a>(input: Shape, rows: &'a [u16], columns: &'a [u16]) -> Result<Gather<'a>, Error> {
        Gather::new(input, rows, columns)
    }

    /// Bilinear interpolation, or linear for a signal with h = 1.
    ///
    /// With [`Numerics::Exact`] positions and weights are exact fractions and the result is the real value rounded once, ties up.
    ///
    /// ```
    /// use upconv::{Bound, Numerics, Resize, Shape, Upsample};
    /// let up = Upsample::bilinear(Shape::new(1, 2, 1), Resize::to(1, 4), Numerics::Exact)?;
    /// let mut y = [0i8; 4];
    /// Bound::whole(&up, &[0, 100], &mut y)?.run();
    /// assert_eq!(y, [0, 25, 75, 100]);
    /// # Ok::<(), upconv::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error`] names a size that is 0 or too large, or positions that the numerics do not have.
    pub const fn bilinear(input: Shape, resize: Resize, numerics: Numerics) -> Result<Bilinear, Error> {
        Bilinear::new(input, resize, numerics)
    }

    /// Bicubic interpolation (Keys): four taps along each axis, edges replicated, the result clamped to the element.
    ///
    /// The real value rounded once, ties up.
    ///
    /// ```
    /// use upconv::{Bound, Cubic, Resize, Shape, Upsample};
    /// let up = Upsample::bicubic(Shape::new(1, 2, 1), Resize::to(1, 4), Cubic::Pytorch)?;
    /// let mut y = [0i8; 4];
    /// Bound::whole(&up, &[0, 100], &mut y)?.run();
    /// assert_eq!(y, [-11, 23, 77, 111]); // -10.5, 22.7, 77.3, 110.5: it overshoots
    /// # Ok::<(), upconv::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error`] names a size that is 0 or too large.
    pub const fn bicubic(input: Shape, resize: Resize, cubic: Cubic) -> Result<Bicubic, Error> {
        Bicubic::new(input, resize, cubic)
    }

    /// The mean over the input pixels that an output pixel touches: `floor(i·in/out) .. ceil((i + 1)·in/out)` along each axis.
    ///
    /// PyTorch's `mode="area"` and adaptive average pooling; the real mean rounded once, ties up.
    ///
    /// ```
    /// use upconv::{Bound, Shape, Upsample};
    /// let down = Upsample::area(Shape::new(2, 2, 1), 1, 1)?;
    /// let mut y = [0i8];
    /// Bound::whole(&down, &[1, 2, 3, 4], &mut y)?.run();
    /// assert_eq!(y, [3]); // 2.5, ties up
    /// # Ok::<(), upconv::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error`] names a size that is 0 or too large.
    pub const fn area(input: Shape, oh: usize, ow: usize) -> Result<Area, Error> {
        Area::new(input, oh, ow)
    }
}

/// Checks input and output of a resize.
const fn shapes(input: Shape, resize: Resize) -> Result<(), Error> {
    match input.check(&INPUT) {
        Ok(()) => resize.output(input).check(&OUTPUT),
        Err(e) => Err(e),
    }
}

/// The positions along both axes.
const fn axes(input: Shape, resize: Resize) -> Result<[crate::coords::Affine; 2], Error> {
    if let Err(e) = shapes(input, resize) {
        return Err(e);
    }
    match (resize.axis(0, input.h), resize.axis(1, input.w)) {
        (Ok(y), Ok(x)) => Ok([y, x]),
        (Err(e), _) | (_, Err(e)) => Err(e),
    }
}
