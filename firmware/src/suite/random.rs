//! Repeatable random numbers (SplitMix64, Steele, Lea and Flood 2014), the same on every machine.

use upconv::Element;

/// A seeded generator, or bytes that somebody chose. Nothing of it is inlined: it is called everywhere, and the suite has to fit a
/// small flash.
pub struct Random<'a> {
    state: u64,
    bytes: &'a [u8],
}

impl<'a> Random<'a> {
    /// A generator whose numbers depend on the seed alone.
    pub fn new(seed: u64) -> Self {
        Random { state: seed, bytes: &[] }
    }

    /// A generator that takes a byte for each number, so that a fuzzer's bytes are the choices; a fixed seed where they end.
    pub fn of_bytes(bytes: &'a [u8]) -> Self {
        Random { state: 0, bytes }
    }

    /// The next 64 bits.
    #[inline(never)]
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> u64 {
        if let [byte, rest @ ..] = self.bytes {
            self.bytes = rest;
            return u64::from(*byte) * 0x0101_0101_0101_0101;
        }
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.state ^ (self.state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `n`, n >= 1.
    #[inline(never)]
    pub fn below(&mut self, n: usize) -> usize {
        (((self.next() >> 32) * n as u64) >> 32) as usize
    }

    /// One of some values.
    pub fn pick<'b, T>(&mut self, of: &'b [T]) -> &'b T {
        &of[self.below(of.len())]
    }

    /// A height or width, often 1 or 2.
    #[inline(never)]
    pub fn side(&mut self) -> usize {
        let most = *self.pick(&[1, 2, 4, 9]);
        self.below(most) + 1
    }

    /// Any value.
    #[inline(never)]
    pub fn element<T: Element>(&mut self) -> T {
        T::from_i32((self.next() as i32) >> if T::MAX > 127 { 16 } else { 24 })
    }

    /// Fills a tensor: at random, with one end of the range, or from a cycle of prime length so that no two rows are alike.
    #[inline(never)]
    pub fn paint<T: Element>(&mut self, x: &mut [T]) {
        match self.below(4) {
            0 => x.fill(T::from_i32(*self.pick(&[T::MIN, T::MAX]))),
            1 => {
                let scale = (T::MAX - T::MIN) / 251;
                x.iter_mut().enumerate().for_each(|(i, v)| *v = T::from_i32(T::MIN + (i % 251) as i32 * scale));
            }
            _ => x.fill_with(|| self.element()),
        }
    }
}
