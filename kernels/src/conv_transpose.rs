//! Transposed convolution as a set of small convolutions, one for each output phase (see [`phase`](crate::phase)).

use crate::{Error, Geometry, Plan, Shape};

/// Transposed convolution (`nn.ConvTranspose2d`): every input value adds `x·w[k]` to the output at `i·s − p + d·k`.
pub enum ConvTranspose {}

impl ConvTranspose {
    /// Plans `nn.ConvTranspose2d(input.c, out_channels, …)` on an input of this shape.
    ///
    /// `out = (in − 1)·s − p_before − p_after + d·(k − 1) + output_padding + 1`. Weights are
    /// `[C_in, C_out / groups, kh, kw]`. Each output is a dense sum over its own phase's taps: no zero is inserted or multiplied, every
    /// output is written once, and no accumulator outlives its output.
    ///
    /// # Errors
    /// [`Error`] names a size that is 0 or too large, channels that the groups do not divide, an output padding
    /// that is not below `max(stride, dilation)` or a geometry without output.
    ///
    /// ```
    /// use upconv::*;
    /// let plan = ConvTranspose::plan(Shape::new(1, 2, 1), 1, Geometry::new(1, 3).stride(1, 2))?;
    /// let packed = plan.pack(&[1i8, 10, 100], WeightOrder::Torch)?;
    /// let one = Quant::new(1.0, 0);
    /// let multipliers = Multiplier::per_channel(1.0, &[1.0], 1.0)?;
    /// let layer: Convolution<i8> = Weights { packed: &packed, bias: &[0i32] }.layer(
    ///     &plan,
    ///     Quantization {
    ///         x: one,
    ///         y: one,
    ///         multipliers: &multipliers,
    ///         activation: Activation::None,
    ///         rounding: Rounding::TfliteSingle,
    ///     },
    /// )?;
    /// let mut y = [0; 5];
    /// Bound::whole(&layer, &[1, -1], &mut y)?.run();
    /// assert_eq!(y, [1, 10, 99, -10, -100]); // the two inputs overlap in the middle: 100 - 1
    /// # Ok::<(), Error>(())
    /// ```
    pub const fn plan(input: Shape, out_channels: usize, geometry: Geometry) -> Result<Plan, Error> {
        Plan::new(input, out_channels, geometry, true)
    }
}
