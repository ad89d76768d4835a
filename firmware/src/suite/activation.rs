//! Functions of one value: as layers on random tensors, and every input of the tables that LiteRT has too.

use super::exact::requantised;
use super::{Outcome, Random, check, group, shape};
use upconv::{
    Activation, Element, Elementwise, Error, Gate16, LeakyRelu, Multiplier, Pointwise, Quant, Requantize, Rounding,
    Table8, Table16, must,
};

const BYTE_SIGMOID: Quant = Quant::new(1.0 / 256.0, -128);
const BYTE_TANH: Quant = Quant::new(1.0 / 128.0, 0);

/// Tables with the digest of what LiteRT 2.3.0's reference kernels answer to all inputs in ascending order.
static TABLES: [(Table8, u32); 6] = [
    (must!(Table8::sigmoid(Quant::new(0.05, 3), BYTE_SIGMOID)), 0x216b_f980),
    (must!(Table8::tanh(Quant::new(0.02, -7), BYTE_TANH)), 0x57fa_779e),
    (must!(Table8::hard_swish(Quant::new(0.05, -20), Quant::new(0.03, -116))), 0xfedb_3827),
    (must!(Table8::hard_swish(Quant::new(0.5, 0), Quant::new(0.5, 0))), 0x7e85_9482),
    (must!(Table8::hard_swish(Quant::new(0.001, 127), Quant::new(0.002, 5))), 0x8954_bc60),
    (
        must!(Table8::leaky_relu(Quant::new(0.05, -20), Quant::new(0.03, -100), 0.1, Rounding::TfliteDouble)),
        0x45e0_7032,
    ),
];

const fn scale(scale: f32) -> Quant {
    Quant::new(scale, 0)
}

/// The same for 16 bits: powers of two, and scales below and above them.
static GATES: [(Gate16, u32); 12] = [
    (must!(Gate16::sigmoid(scale(1.0 / 4096.0))), 0x3064_69d5),
    (must!(Gate16::sigmoid(scale(1.0 / 2048.0))), 0x9715_e25f),
    (must!(Gate16::sigmoid(scale(1.0 / 8192.0))), 0xe94c_2dc5),
    (must!(Gate16::sigmoid(scale(0.0003))), 0x2949_4e9d),
    (must!(Gate16::sigmoid(scale(0.00002))), 0xa100_45df),
    (must!(Gate16::sigmoid(scale(1.5))), 0x2de4_f85f),
    (must!(Gate16::tanh(scale(1.0 / 4096.0))), 0x806a_e99f),
    (must!(Gate16::tanh(scale(1.0 / 2048.0))), 0xf45c_e41f),
    (must!(Gate16::tanh(scale(1.0 / 8192.0))), 0xb340_7f1c),
    (must!(Gate16::tanh(scale(0.0003))), 0x332a_e3bc),
    (must!(Gate16::tanh(scale(0.00002))), 0x4e4a_873f),
    (must!(Gate16::tanh(scale(1.5))), 0x17d2_b65f),
];

static HARD_SWISH: Table16 = must!(Table16::hard_swish(scale(0.0003), scale(0.0002)));

/// `y[0]·31^(n-1) + y[1]·31^(n-2) + …` over all inputs.
fn digest<T: Element>(f: &impl Pointwise<T>) -> u32 {
    (T::MIN..=T::MAX).fold(0, |d: u32, x| d.wrapping_mul(31).wrapping_add(f.at(T::from_i32(x)).to_i32() as u32))
}

/// A function as a layer, each value against a formula.
fn each<T: Element>(
    random: &mut Random<'_>,
    f: &impl Pointwise<T>,
    formula: impl Fn(T) -> T,
) -> Result<(bool, u32), Error> {
    let layer = Elementwise::plan(shape(random), f)?;
    check(random, &layer, |x, y| y.iter_mut().zip(x).for_each(|(y, x)| *y = formula(*x)))
}

pub(super) fn tables(random: Random<'_>, cases: u32) -> Outcome {
    let mut outcome = group(random, cases, |random| {
        let (table, _) = random.pick(&TABLES);
        each::<i8>(random, table, |x| table.at(x))
    });
    outcome.failed += TABLES.iter().filter(|(table, expected)| digest::<i8>(table) != *expected).count() as u32;
    outcome
}

pub(super) fn tables_16(random: Random<'_>, cases: u32) -> Outcome {
    let mut outcome = group(random, cases, |random| {
        if random.below(2) == 0 {
            let (gate, _) = random.pick(&GATES);
            return each::<i16>(random, gate, |x| gate.at(x));
        }
        each::<i16>(random, &HARD_SWISH, |x| {
            // Between the entries, which are the values at multiples of 128; the last one is out of reach.
            let (low, t) = (x & !127, i32::from(x & 127));
            let Some(high) = low.checked_add(128) else { return HARD_SWISH.at(x) };
            let (a, b) = (i32::from(HARD_SWISH.at(low)), i32::from(HARD_SWISH.at(high)));
            ((2 * (128 * a + (b - a) * t) + 128).div_euclid(256)) as i16
        })
    });
    // Miri takes half a minute for each.
    let gates = if cfg!(miri) { &[] } else { &GATES[..] };
    outcome.failed += gates.iter().filter(|(gate, expected)| digest::<i16>(gate) != *expected).count() as u32;
    outcome
}

/// Leaky ReLU and requantisation.
pub(super) fn integers<T: Element>(random: Random<'_>, cases: u32) -> Outcome {
    group(random, cases, |random| {
        let mut quant = || {
            let scale = (random.below(400) + 1) as f32 / 500.0;
            Quant::new(scale, *random.pick(&[T::MIN, T::MAX, 0, -3]))
        };
        let (x, y) = (quant(), quant());
        let rounding = *random.pick(&[Rounding::TfliteDouble, Rounding::TfliteSingle]);
        let finish = |acc, m| requantised(acc, m, y, Activation::None, rounding);
        if random.below(2) == 0 {
            let change = Requantize::<T, T>::plan(x, y, rounding)?;
            let m = Multiplier::from_real(f64::from(x.scale) / f64::from(y.scale))?;
            return each(random, &change, |raw| finish(i64::from(raw.to_i32() - x.zero), m));
        }
        let alpha = *random.pick(&[0.0f32, 0.01, 0.1, 0.3, 1.5, -0.25, -1.5]);
        let leaky = LeakyRelu::<T>::plan(x, y, alpha, rounding)?;
        let up = Multiplier::from_real((x.scale / y.scale).into())?;
        let down = Multiplier::from_real((x.scale * alpha.abs() / y.scale).into())?;
        each(random, &leaky, |raw| {
            let v = i64::from(raw.to_i32() - x.zero);
            // A negative slope's sign goes to the value, so that ties are rounded as those of a positive product.
            finish(if alpha < 0.0 { v.abs() } else { v }, if v < 0 { down } else { up })
        })
    })
}
