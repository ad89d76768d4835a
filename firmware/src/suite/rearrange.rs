//! Pixel shuffles, max unpooling and padding against their definitions, one output or input value at a time.

use super::{Outcome, Random, TOO_LARGE, check, group, room, shape};
use upconv::{
    Element, Fill, FlatIndex, Geometry, MaxUnpool, Pad, Padding, PixelShuffle, PixelUnshuffle, Shape, ShuffleOrder,
};

/// A block, the shape of a fine tensor that is whole blocks, and an order.
fn blocks(random: &mut Random<'_>) -> (usize, usize, Shape, ShuffleOrder) {
    let (rh, rw) = (random.below(3) + 1, random.below(3) + 1);
    let fine = Shape::new(rh * (random.below(4) + 1), rw * (random.below(4) + 1), random.below(9) + 1);
    (rh, rw, fine, *random.pick(&[ShuffleOrder::Dcr, ShuffleOrder::Crd]))
}

/// Calls `f` with every (fine index, coarse index) that hold the same value.
fn pairs(rh: usize, rw: usize, fine: Shape, order: ShuffleOrder, mut f: impl FnMut(usize, usize)) {
    for i in 0..fine.len() {
        let (y, x, c) = (i / fine.row_len(), i / fine.c % fine.w, i % fine.c);
        let place = y % rh * rw + x % rw;
        let channel = match order {
            ShuffleOrder::Dcr => place * fine.c + c,
            ShuffleOrder::Crd => c * rh * rw + place,
        };
        f(i, (y / rh * (fine.w / rw) + x / rw) * fine.c * rh * rw + channel);
    }
}

pub(super) fn shuffle(random: Random<'_>, cases: u32) -> Outcome {
    group(random, cases, |random| {
        let (rh, rw, fine, order) = blocks(random);
        let coarse = Shape::new(fine.h / rh, fine.w / rw, fine.c * rh * rw);
        let layer = PixelShuffle::plan(coarse, rh, rw, order)?;
        check(random, &layer, |x: &[i8], y| pairs(rh, rw, fine, order, |fine, coarse| y[fine] = x[coarse]))
    })
}

pub(super) fn unshuffle(random: Random<'_>, cases: u32) -> Outcome {
    group(random, cases, |random| {
        let (rh, rw, fine, order) = blocks(random);
        let layer = PixelUnshuffle::plan(fine, rh, rw, order)?;
        check(random, &layer, |x: &[i16], y| pairs(rh, rw, fine, order, |fine, coarse| y[coarse] = x[fine]))
    })
}

/// Values of an unpooling's input: as many 64-bit indices have to fit.
const POOLED: usize = 96;

pub(super) fn unpool<T: Element>(random: Random<'_>, cases: u32) -> Outcome {
    group(random, cases, |random| {
        let input = Shape::new(random.below(4) + 1, random.below(4) + 1, random.below(6) + 1);
        let (kh, kw) = *random.pick(&[(1, 1), (1, 2), (2, 2), (3, 2), (2, 4), (3, 3), (5, 4), (1, 5)]);
        let (sh, sw) = (random.below(4) + 1, random.below(4) + 1);
        let mut p = |k: usize| random.below(k);
        let padding = Padding { top: p(kh), bottom: p(kh), left: p(kw), right: p(kw) };
        let geometry = Geometry::new(kh, kw).stride(sh, sw).padding(padding);
        let formula = MaxUnpool::plan(input, geometry)?;
        let (inferred, mut plan) = (formula.output(), formula);
        if random.below(2) == 0 {
            let (oh, ow) = (inferred.h + random.below(sh), inferred.w + random.below(sw));
            plan = MaxUnpool::plan_to(input, geometry, oh - random.below(sh.min(oh)), ow - random.below(sw.min(ow)))?;
        }
        let output = plan.output();

        // A place of the output in each value's window, and its index as a framework counts it.
        let (mut places, mut flat) = ([(0u8, 0u8); POOLED], [0; POOLED]);
        let (places, flat) = (room(&mut places, input.len())?, room(&mut flat, input.len())?);
        let onnx = random.below(2) == 0;
        let batch = random.below(3);
        let plane = if onnx { inferred } else { output };
        let mut within = |first: usize, pad: usize, k: usize, len: usize| {
            let (from, to) = (first.saturating_sub(pad), (first + k).saturating_sub(pad).min(len));
            if from < to { Ok(from + random.below(to - from)) } else { Err(TOO_LARGE) }
        };
        for (i, place) in places.iter_mut().enumerate() {
            let (iy, ix, c) = (i / input.row_len(), i / input.c % input.w, i % input.c);
            let y = within(iy * sh, padding.top, kh, output.h.min(plane.h))?;
            let x = within(ix * sw, padding.left, kw, output.w.min(plane.w))?;
            *place = (y as u8, x as u8);
            let planes = if onnx { batch * input.c + c } else { 0 };
            flat[(c * input.h + iy) * input.w + ix] = ((planes * plane.h + y) * plane.w + x) as i64;
        }
        let mut packed = [0; POOLED];
        let packed = room(&mut packed, plan.packed_len())?;
        plan.pack_into(flat, if onnx { FlatIndex::Onnx { batch } } else { FlatIndex::Torch }, packed)?;
        let fill: T = random.element();
        let layer = plan.with(packed, fill)?;
        check(random, &layer, |x, y| {
            y.fill(fill);
            for (i, ((py, px), v)) in places.iter().zip(x).enumerate() {
                y[(usize::from(*py) * output.w + usize::from(*px)) * output.c + i % input.c] = *v;
            }
        })
    })
}

/// The input that stands at position `i` of an axis, or none.
fn source<T>(i: isize, size: isize, fill: Fill<T>) -> Option<usize> {
    let i = match fill {
        _ if (0..size).contains(&i) => i,
        Fill::Value(_) => return None,
        Fill::Reflect if i < 0 => -i,
        Fill::Reflect => size - 1 - (i - (size - 1)),
        Fill::Replicate => i.clamp(0, size - 1),
        Fill::Wrap => i.rem_euclid(size),
    };
    Some(i as usize)
}

pub(super) fn pad<T: Element>(random: Random<'_>, cases: u32) -> Outcome {
    group(random, cases, |random| {
        let input = shape(random);
        let mut side = || random.below(7) as isize - 2;
        let (rows, columns) = ([side(), side()], [side(), side()]);
        let fill = *random.pick(&[Fill::Value(T::from_i32(-77)), Fill::Reflect, Fill::Replicate, Fill::Wrap]);
        let layer = Pad::plan(input, rows, columns, fill)?;
        let output = upconv::Layer::<T>::output(&layer);
        check(random, &layer, |x, y| {
            for (i, y) in y.iter_mut().enumerate() {
                let (oy, ox) = (i / output.row_len(), i / output.c % output.w);
                let iy = source(oy as isize - rows[0], input.h as isize, fill);
                let ix = source(ox as isize - columns[0], input.w as isize, fill);
                *y = match (iy, ix, fill) {
                    (Some(iy), Some(ix), _) => x[(iy * input.w + ix) * input.c + i % input.c],
                    (_, _, Fill::Value(v)) => v,
                    _ => unreachable!(),
                };
            }
        })
    })
}
