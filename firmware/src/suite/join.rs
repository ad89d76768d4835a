//! Concatenation and arithmetic of two inputs against their formulas, one output value at a time.

use super::exact::{requantised, scaled};
use super::{GUARD, Outcome, Random, VALUES, group, room, shape};
use upconv::{
    Activation, Add, Along, BoundJoin, Concat, Element, Error, Join, Mul, Multiplier, Operands, Quant, Rounding, Shape,
    Sub, Window,
};

/// Makes the output of some inputs.
type Model<'a, T> = &'a dyn Fn(&[&[T]], &mut [T]);

/// The most inputs.
const MOST: usize = 3;

/// Runs a join whole and by rows and compares both with the model; [`check`](super::check) for several inputs. By one function of one
/// size, which many joins share.
#[inline(never)]
fn check<T: Element>(random: &mut Random<'_>, join: &dyn Join<T>, model: Model<'_, T>) -> Result<(bool, u32), Error> {
    let (output, n) = (join.output(), join.inputs());
    let (mut x, mut y, mut expected) =
        ([T::default(); VALUES], [T::default(); VALUES + 2 * GUARD], [T::default(); VALUES]);
    // All inputs one after the other.
    let mut rest = room(&mut x, (0..n).map(|i| join.input(i).len()).sum())?;
    random.paint(rest);
    let mut inputs: [&[T]; MOST] = [&[]; MOST];
    for (i, input) in inputs[..n].iter_mut().enumerate() {
        let (this, after) = rest.split_at_mut(join.input(i).len());
        (*input, rest) = (this, after);
    }
    let expected = room(&mut expected, output.len())?;
    let guarded = room(&mut y, output.len() + 2 * GUARD)?;
    model(&inputs[..n], expected);

    let guard = random.element();
    guarded.fill(guard);
    let (y, [a, b, c]) = (&mut guarded[GUARD..][..output.len()], inputs);
    match n {
        1 => BoundJoin::whole(join, [a], y)?.run(),
        2 => BoundJoin::whole(join, [a, b], y)?.run(),
        _ => BoundJoin::whole(join, [a, b, c], y)?.run(),
    }
    let (before, rest) = guarded.split_at(GUARD);
    let (y, after) = rest.split_at(output.len());
    let intact = before.iter().chain(after).all(|v| *v == guard);
    let equal = intact && y == expected && rows_equal(join, &inputs[..n], expected)?;
    Ok((equal, y.iter().fold(0, |d: u32, v| d.wrapping_mul(31).wrapping_add(v.to_i32() as u32))))
}

/// Whether each row comes out the same from rings that hold exactly the rows that the join says it reads.
fn rows_equal<T: Element>(join: &dyn Join<T>, x: &[&[T]], expected: &[T]) -> Result<bool, Error> {
    let (mut memory, mut row) = ([T::default(); VALUES], [T::default(); VALUES]);
    let row = room(&mut row, join.output().row_len())?;
    for (oy, expected) in expected.chunks(join.output().row_len()).enumerate() {
        let mut windows = [Window::whole(&[], Shape::new(0, 0, 0))?; MOST];
        let mut rest = &mut memory[..];
        for (i, (window, x)) in windows.iter_mut().zip(x).enumerate() {
            let (reads, len) = (join.reads(i, oy), join.input(i).row_len());
            let capacity = reads.len().max(1);
            let slot = oy % capacity;
            let (ring, after) = rest.split_at_mut(capacity * len);
            for iy in reads.clone() {
                let to = (slot + iy - reads.start) % capacity;
                ring[to * len..][..len].copy_from_slice(&x[iy * len..][..len]);
            }
            (*window, rest) = (Window::ring(ring, len, reads.start, slot)?, after);
        }
        join.row(oy, &windows[..x.len()], row);
        if row != expected {
            return Ok(false);
        }
    }
    Ok(true)
}

const ROUNDINGS: [Rounding; 2] = [Rounding::TfliteDouble, Rounding::TfliteSingle];

/// A scale from 0.002 to 0.8 and a zero point, often at one end.
fn quant<T: Element>(random: &mut Random<'_>) -> Quant {
    Quant::new((random.below(400) + 1) as f32 / 500.0, *random.pick(&[T::MIN, T::MAX, 0, -3]))
}

pub(super) fn concat<T: Element>(random: Random<'_>, cases: u32) -> Outcome {
    group(random, cases, |random| {
        let along = *random.pick(&[Along::Height, Along::Width, Along::Channels]);
        let (first, y, rounding) = (shape(random), quant::<T>(random), *random.pick(&ROUNDINGS));
        let mut inputs = [(first, y); MOST];
        for (shape, x) in &mut inputs {
            match along {
                Along::Height => shape.h = random.below(4) + 1,
                Along::Width => shape.w = random.below(4) + 1,
                Along::Channels => shape.c = random.below(6) + 1,
            }
            if random.below(2) == 0 {
                *x = quant::<T>(random);
            }
        }
        let ([a, b, c], one, two, three) = (inputs, Concat::<T, 1>::plan, Concat::<T, 2>::plan, Concat::<T, 3>::plan);
        match random.below(3) {
            0 => concat_of(random, &one(along, [a], y, rounding)?, (along, &inputs, y, rounding)),
            1 => concat_of(random, &two(along, [a, b], y, rounding)?, (along, &inputs, y, rounding)),
            _ => concat_of(random, &three(along, [a, b, c], y, rounding)?, (along, &inputs, y, rounding)),
        }
    })
}

#[inline(never)]
fn concat_of<T: Element>(
    random: &mut Random<'_>,
    join: &dyn Join<T>,
    (along, inputs, y, rounding): (Along, &[(Shape, Quant)], Quant, Rounding),
) -> Result<(bool, u32), Error> {
    let output = join.output();
    check(random, join, &|x, out| {
        for (i, out) in out.iter_mut().enumerate() {
            let mut at = [i / output.row_len(), i / output.c % output.w, i % output.c];
            for (x, (s, q)) in x.iter().zip(inputs) {
                let (axis, len) = match along {
                    Along::Height => (0, s.h),
                    Along::Width => (1, s.w),
                    Along::Channels => (2, s.c),
                };
                if at[axis] < len {
                    let raw = x[(at[0] * s.w + at[1]) * s.c + at[2]];
                    let m = Multiplier::from_real(f64::from(q.scale) / f64::from(y.scale)).unwrap();
                    let acc = i64::from(raw.to_i32() - q.zero);
                    *out = if *q == y { raw } else { requantised(acc, m, y, Activation::None, rounding) };
                    break;
                }
                at[axis] -= len;
            }
        }
    })
}

/// Two shapes that go together, the second one broadcast now and then.
fn pair(random: &mut Random<'_>) -> (Shape, Shape) {
    let a = shape(random);
    let h = if random.below(4) == 0 { 1 } else { a.h };
    (a, Shape::new(h, if random.below(4) == 0 { 1 } else { a.w }, a.c))
}

fn operands<T: Element>(random: &mut Random<'_>) -> Operands {
    let activations = [Activation::None, Activation::None, Activation::Relu, Activation::Relu6, Activation::ReluN1To1];
    Operands {
        a: quant::<T>(random),
        b: quant::<T>(random),
        y: quant::<T>(random),
        activation: *random.pick(&activations),
        rounding: *random.pick(&ROUNDINGS),
    }
}

/// Runs `join` against a formula of two raw values.
fn elementwise<T: Element>(
    random: &mut Random<'_>,
    join: &dyn Join<T>,
    formula: impl Fn(i64, i64) -> T,
) -> Result<(bool, u32), Error> {
    let (sa, sb) = (join.input(0), join.input(1));
    check(random, join, &|x, out| {
        let [a, b] = [x[0], x[1]];
        for (i, out) in out.iter_mut().enumerate() {
            let (oy, ox, c) = (i / sa.row_len(), i / sa.c % sa.w, i % sa.c);
            let partner = b[(oy.min(sb.h - 1) * sb.w + ox.min(sb.w - 1)) * sb.c + c];
            *out = formula(a[i].to_i32().into(), partner.to_i32().into());
        }
    })
}

pub(super) fn sum<T: Element>(random: Random<'_>, cases: u32) -> Outcome {
    group(random, cases, |random| {
        let ((a, b), o, subtract) = (pair(random), operands::<T>(random), random.below(2) == 0);
        let join = if subtract { Sub::plan(a, b, o) } else { Add::plan(a, b, o) }?;
        let bits = if T::MAX > 127 { 15 } else { 20 };
        let (sa, sb, sy) = (f64::from(o.a.scale), f64::from(o.b.scale), f64::from(o.y.scale));
        let twice = 2.0 * sa.max(sb);
        let (ma, mb) = (Multiplier::from_real(sa / twice)?, Multiplier::from_real(sb / twice)?);
        let my = Multiplier::from_real(twice / (f64::from(1 << bits) * sy))?;
        elementwise::<T>(random, &join, |a, b| {
            let a = scaled((a - i64::from(o.a.zero)) << bits, ma, o.rounding);
            let b = scaled((b - i64::from(o.b.zero)) << bits, mb, o.rounding);
            let sum = if subtract { a - b } else { a + b };
            requantised(sum as i64, my, o.y, o.activation, o.rounding)
        })
    })
}

pub(super) fn sum_by_shifts(random: Random<'_>, cases: u32) -> Outcome {
    group(random, cases, |random| {
        let ((a, b), mut o, subtract) = (pair(random), operands::<i16>(random), random.below(2) == 0);
        let (shift, second) = (random.below(16) as u32, random.below(2) == 0);
        let (whole, part) = (Quant::binary_point(8), Quant::binary_point(8 + shift));
        (o.a, o.b, o.y) = if second { (whole, part, whole) } else { (part, whole, whole) };
        let join = if subtract { Sub::plan_shift(a, b, o) } else { Add::plan_shift(a, b, o) }?;
        let one = Multiplier::power_of_two(0)?;
        elementwise::<i16>(random, &join, |a, b| {
            // To the nearest, ties away from zero.
            let round = |v: i64| (v.abs() + (1 << shift) / 2) / (1 << shift) * v.signum();
            let (a, b) = if second { (a, round(b)) } else { (round(a), b) };
            let sum = if subtract { a - b } else { a + b };
            requantised(sum, one, o.y, o.activation, Rounding::TfliteSingle)
        })
    })
}

pub(super) fn product<T: Element>(random: Random<'_>, cases: u32) -> Outcome {
    group(random, cases, |random| {
        let ((a, b), mut o) = (pair(random), operands::<T>(random));
        if T::MAX > 127 {
            // Products of values further from their zero points leave 32 bits.
            (o.a.zero, o.b.zero) = (*random.pick(&[0, -3, 0]), 0);
        }
        o.y.scale *= *random.pick(&[1.0, 30.0, 1000.0]);
        let join = Mul::plan(a, b, o)?;
        let m = Multiplier::from_real((o.a.scale * o.b.scale / o.y.scale).into())?;
        elementwise::<T>(random, &join, |a, b| {
            let product = (a - i64::from(o.a.zero)) * (b - i64::from(o.b.zero));
            requantised(product, m, o.y, o.activation, o.rounding)
        })
    })
}
