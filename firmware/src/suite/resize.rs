//! Nearest, bilinear, bicubic and area resizes.

use super::exact::{self, Axis};
use super::{Outcome, Random, check, group, shape};
use upconv::{Coordinates, Cubic, Element, Error, NearestMode, Numerics, Ratio, Resize, Rounding, Shape, Upsample};

/// A resize, and the model's view of it.
fn resize(random: &mut Random<'_>, input: Shape) -> Result<(Resize, [Axis; 2]), Error> {
    use Coordinates::*;
    let coordinates = *random.pick(&[HalfPixel, AlignCorners, Asymmetric, PytorchHalfPixel, HalfPixelSymmetric]);
    let axis = |input: usize, output: usize, (n, d): (usize, usize)| Axis {
        input: input as i64,
        output: output as i64,
        scale: (n as i64, d as i64),
        coordinates,
    };
    if random.below(3) == 0 {
        let scales = [(3, 2), (13, 5), (3, 5), (2, 1), (1, 3), (5, 4)];
        let (h, w) = (*random.pick(&scales), *random.pick(&scales));
        let ratios = [Ratio::new(h.0, h.1)?, Ratio::new(w.0, w.1)?];
        let axes = [axis(input.h, ratios[0].apply(input.h), h), axis(input.w, ratios[1].apply(input.w), w)];
        return Ok((Resize::by(ratios[0], ratios[1]).coordinates(coordinates), axes));
    }
    let (h, w) = sizes(random, input);
    let axes = [axis(input.h, h, (h, input.h)), axis(input.w, w, (w, input.w))];
    Ok((Resize::to(h, w).coordinates(coordinates), axes))
}

fn sizes(random: &mut Random<'_>, input: Shape) -> (usize, usize) {
    let factor = *random.pick(&[2, 4, 8]);
    match random.below(5) {
        0 => (factor * input.h, factor * input.w),
        1 => (4 * input.h, input.w),
        2 => (random.side(), factor * input.w),
        _ => (random.side(), random.side()),
    }
}

pub(super) fn nearest(random: Random<'_>, cases: u32) -> Outcome {
    group(random, cases, |random| {
        let input = shape(random);
        let (resize, axes) = resize(random, input)?;
        use NearestMode::*;
        let mode = *random.pick(&[Floor, Ceil, RoundPreferFloor, RoundPreferCeil]);
        let layer = Upsample::nearest_by(input, resize, mode)?;
        check(random, &layer, |x: &[i8], y| exact::nearest(x, axes, mode, y))
    })
}

pub(super) fn repeat(random: Random<'_>, cases: u32) -> Outcome {
    group(random, cases, |random| {
        let mut input = shape(random);
        if random.below(3) == 0 {
            // Pixels beyond the blocks that are copied at once.
            input = Shape::new(1, random.below(3) + 1, random.below(50) + 1);
        }
        let (fh, fw) = (random.below(4) + 1, random.below(4) + 1);
        let layer = Upsample::nearest(input, fh, fw)?;
        check(random, &layer, |x: &[i16], y| {
            for (i, y) in y.iter_mut().enumerate() {
                let (row, column) = (i / (input.row_len() * fw), i % (input.row_len() * fw) / input.c);
                *y = x[(row / fh * input.w + column / fw) * input.c + i % input.c];
            }
        })
    })
}

pub(super) fn bilinear<T: Element>(random: Random<'_>, cases: u32) -> Outcome {
    group(random, cases, |random| {
        let input = shape(random);
        let (resize, axes) = resize(random, input)?;
        let numerics = *random.pick(&[
            Numerics::Exact,
            Numerics::Exact,
            Numerics::Tflite(Rounding::TfliteDouble),
            Numerics::Tflite(Rounding::TfliteSingle),
        ]);
        let layer = Upsample::bilinear(input, resize, numerics)?;
        check(random, &layer, |x: &[T], y| exact::bilinear(x, axes, numerics, y))
    })
}

pub(super) fn bicubic<T: Element>(random: Random<'_>, cases: u32) -> Outcome {
    group(random, cases, |random| {
        let input = shape(random);
        let (resize, axes) = resize(random, input)?;
        let cubic = *random.pick(&[Cubic::Pytorch, Cubic::Tensorflow]);
        let layer = Upsample::bicubic(input, resize, cubic)?;
        check(random, &layer, |x: &[T], y| exact::bicubic(x, axes, cubic, y))
    })
}

pub(super) fn area<T: Element>(random: Random<'_>, cases: u32) -> Outcome {
    group(random, cases, |random| {
        let input = shape(random);
        let (h, w) = sizes(random, input);
        let axis = |input: usize, output: usize| Axis {
            input: input as i64,
            output: output as i64,
            scale: (output as i64, input as i64),
            coordinates: Coordinates::Asymmetric,
        };
        let axes = [axis(input.h, h), axis(input.w, w)];
        let layer = Upsample::area(input, h, w)?;
        check(random, &layer, |x: &[T], y| exact::area(x, axes, y))
    })
}
