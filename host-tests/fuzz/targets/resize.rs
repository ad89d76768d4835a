//! Any small resize, any data: the exact model's values, guard values intact.

#![no_main]

use arbitrary::{Arbitrary, Unstructured};
use firmware::suite::exact::{self, Axis};
use guarded::guarded;
use libfuzzer_sys::fuzz_target;
use upconv::*;

mod guarded;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    shape: [u8; 3],
    /// Output sizes, or the numerators of scales.
    num: [u8; 2],
    den: [u8; 2],
    by_scale: bool,
    coordinates: u8,
    operator: u8,
    data: &'a [u8],
}

fn run(i: Input<'_>) -> Result<(), Error> {
    use Coordinates::*;
    let side = |v: u8| usize::from(v % 16) + 1;
    let input = Shape::new(side(i.shape[0]), side(i.shape[1]), side(i.shape[2]) / 4 + 1);
    let all = [HalfPixel, AlignCorners, Asymmetric, PytorchHalfPixel, HalfPixelSymmetric];
    let coordinates = all[usize::from(i.coordinates) % 5];
    let (num, den) = (i.num.map(side), i.den.map(side));
    let axis = |input: usize, output: usize, scale: (usize, usize)| Axis {
        input: input as i64,
        output: output as i64,
        scale: (scale.0 as i64, scale.1 as i64),
        coordinates,
    };
    let (resize, axes) = if i.by_scale {
        let ratio = [Ratio::new(num[0], den[0])?, Ratio::new(num[1], den[1])?];
        let axes = [
            axis(input.h, ratio[0].apply(input.h), (num[0], den[0])),
            axis(input.w, ratio[1].apply(input.w), (num[1], den[1])),
        ];
        (Resize::by(ratio[0], ratio[1]), axes)
    } else {
        let axes = [axis(input.h, num[0], (num[0], input.h)), axis(input.w, num[1], (num[1], input.w))];
        (Resize::to(num[0], num[1]), axes)
    };
    let resize = resize.coordinates(coordinates);
    let x: Vec<i8> = (0..input.len()).map(|n| i.data.get(n % i.data.len().max(1)).map_or(7, |b| *b as i8)).collect();
    let check = |layer: &dyn Layer<i8>, model: &dyn Fn(&mut [i8])| {
        let len = layer.output().len();
        let (y, run) = guarded(len, 0x55, |y| Bound::whole(layer, &x, y).map(|mut bound| bound.run()));
        let mut expected = vec![0; len];
        model(&mut expected);
        assert_eq!(y, expected);
        run
    };
    match i.operator % 6 {
        0 => {
            let mode = NearestMode::RoundPreferFloor;
            check(&Upsample::nearest_by(input, resize, mode)?, &|y| exact::nearest(&x, axes, mode, y))
        }
        1 => {
            let mode = NearestMode::RoundPreferCeil;
            check(&Upsample::nearest_by(input, resize, mode)?, &|y| exact::nearest(&x, axes, mode, y))
        }
        2 => check(&Upsample::bilinear(input, resize, Numerics::Exact)?, &|y| {
            exact::bilinear(&x, axes, Numerics::Exact, y)
        }),
        3 => {
            let numerics = Numerics::Tflite(Rounding::TfliteDouble);
            check(&Upsample::bilinear(input, resize, numerics)?, &|y| exact::bilinear(&x, axes, numerics, y))
        }
        4 => {
            check(&Upsample::bicubic(input, resize, Cubic::Pytorch)?, &|y| exact::bicubic(&x, axes, Cubic::Pytorch, y))
        }
        _ if i.by_scale => Ok(()),
        _ => check(&Upsample::area(input, num[0], num[1])?, &|y| exact::area(&x, axes, y)),
    }
}

fuzz_target!(|bytes: &[u8]| {
    if let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(bytes)) {
        let _ = run(input);
    }
});
