//! The operators, each in a small layer.

#![cfg(operator)]

use upconv::*;

#[cfg(operator = "conv i16x8")]
type Value = i16;
#[cfg(not(operator = "conv i16x8"))]
type Value = i8;

/// The one that is linked.
pub static LAYER: &(dyn Layer<Value> + Sync) = &OPERATOR;

#[allow(unused)] // by operators that need it not, as the next two
const INPUT: Shape = Shape::new(2, 2, 4);
#[allow(unused)]
static MULTIPLIERS: [Multiplier; 4] = must!(Multiplier::per_channel(0.5, &[0.5, 0.25, 0.125, 0.0625], 0.5));

#[allow(unused)]
const fn quantization(rounding: Rounding) -> Quantization<'static> {
    let (x, y) = (Quant::new(0.5, 0), Quant::new(0.5, 0));
    Quantization { x, y, multipliers: &MULTIPLIERS, activation: Activation::None, rounding }
}

#[cfg(operator = "conv_transpose")]
mod operator {
    use super::*;
    const PLAN: Plan = must!(ConvTranspose::plan(INPUT, 4, Geometry::square(2).stride(2, 2)));
    static PACKED: [i8; 64] = must!(PLAN.pack(&[1; 64], WeightOrder::Torch));
    static WEIGHTS: Weights = Weights { packed: &PACKED, bias: &[1; 4] };
    pub static OPERATOR: Convolution<i8> = must!(WEIGHTS.layer(&PLAN, quantization(Rounding::TfliteDouble)));
}

#[cfg(operator = "conv")]
mod operator {
    use super::*;
    const PLAN: Plan = must!(Conv::plan(INPUT, 4, Geometry::square(2).pad(1)));
    static PACKED: [i8; 64] = must!(PLAN.pack(&[1; 64], WeightOrder::Torch));
    static WEIGHTS: Weights = Weights { packed: &PACKED, bias: &[1; 4] };
    pub static OPERATOR: Convolution<i8> = must!(WEIGHTS.layer(&PLAN, quantization(Rounding::TfliteDouble)));
}

#[cfg(operator = "conv i16x8")]
mod operator {
    use super::*;
    const PLAN: Plan = must!(Conv::plan(INPUT, 4, Geometry::square(2).pad(1)));
    static PACKED: [i8; 64] = must!(PLAN.pack(&[1; 64], WeightOrder::Torch));
    static WEIGHTS: Weights<i8, i64> = Weights { packed: &PACKED, bias: &[1; 4] };
    pub static OPERATOR: Convolution<i16, i8, i64> = must!(WEIGHTS.layer(&PLAN, quantization(Rounding::Tflite16x8)));
}

#[cfg(operator = "fold")]
mod operator {
    use super::*;
    const FOLD: FoldNearest = must!(FoldNearest::plan(INPUT, [2, 2], 4, Geometry::square(3).pad(1)));
    const PLAN: Plan = FOLD.transposed();
    const FOLDED: [i16; 256] = must!(FOLD.weights(&[1i8; 144], WeightOrder::Torch));
    static PACKED: [i16; 256] = must!(PLAN.pack(&FOLDED, WeightOrder::Torch));
    static WEIGHTS: Weights<i16> = Weights { packed: &PACKED, bias: &[1; 4] };
    pub static OPERATOR: Convolution<i8, i16> = must!(WEIGHTS.layer(&PLAN, quantization(Rounding::TfliteDouble)));
}

#[cfg(operator = "columns")]
mod operator {
    use super::*;
    const FOLD: FoldNearest = must!(FoldNearest::plan(INPUT, [2, 2], 4, Geometry::square(3).pad(1)));
    static PACKED: ([i8; 144], [i32; 12]) = must!(FOLD.columns(&[1; 144], WeightOrder::Torch));
    static WEIGHTS: Weights = Weights { packed: &PACKED.0, bias: &[1; 4] };
    const CONV: Convolution<i8> = must!(WEIGHTS.layer(&FOLD.convolution(), quantization(Rounding::TfliteDouble)));
    pub static OPERATOR: Columns<i8> = must!(Columns::new(&FOLD, CONV, &PACKED.1));
}

#[cfg(operator = "sub_pixel")]
mod operator {
    use super::*;
    const PLAN: Plan = must!(SubPixel::plan(INPUT, 1, 2, Geometry::square(2).pad(1)));
    static PACKED: [i8; 64] = must!(PLAN.pack(&[1; 64], WeightOrder::Torch));
    static WEIGHTS: Weights = Weights { packed: &PACKED, bias: &[1; 4] };
    const CONV: Convolution<i8> = must!(WEIGHTS.layer(&PLAN, quantization(Rounding::TfliteDouble)));
    pub static OPERATOR: SubPixel<i8> = must!(SubPixel::new(CONV, 2));
}

#[cfg(operator = "nearest")]
mod operator {
    use super::*;
    pub static OPERATOR: Nearest = must!(Upsample::nearest(INPUT, 2, 2));
}

#[cfg(operator = "bilinear")]
mod operator {
    use super::*;
    pub static OPERATOR: Bilinear = must!(Upsample::bilinear(INPUT, Resize::to(4, 4), Numerics::Exact));
}

#[cfg(operator = "bicubic")]
mod operator {
    use super::*;
    pub static OPERATOR: Bicubic = must!(Upsample::bicubic(INPUT, Resize::to(4, 4), Cubic::Pytorch));
}

#[cfg(operator = "area")]
mod operator {
    use super::*;
    pub static OPERATOR: Area = must!(Upsample::area(INPUT, 4, 4));
}

#[cfg(operator = "depth_to_space")]
mod operator {
    use super::*;
    pub static OPERATOR: PixelShuffle = must!(PixelShuffle::plan(INPUT, 2, 2, ShuffleOrder::Dcr));
}

use operator::OPERATOR;
