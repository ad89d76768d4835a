//! The layers that are measured.

use upconv::{Conv, ConvTranspose, Geometry, Plan, Shape};

/// The transposed convolutions and convolutions by their short names.
pub fn layers() -> Vec<(&'static str, Plan)> {
    let up = |h, w, c, out, g| ConvTranspose::plan(Shape::new(h, w, c), out, g).expect("a valid layer");
    let conv = |h, w, c, out, g| Conv::plan(Shape::new(h, w, c), out, g).expect("a valid layer");
    let (k2, k4) = (Geometry::square(2).stride(2, 2), Geometry::square(4).stride(2, 2).pad(1));
    vec![
        ("T1 8x8x64 k2 s2 -> 16x16x32", up(8, 8, 64, 32, k2)),
        ("T2 16x16x32 k2 s2 -> 32x32x16", up(16, 16, 32, 16, k2)),
        (
            "T3 7x7x32 k3 s2 p1 op1 -> 14x14x16",
            up(7, 7, 32, 16, Geometry::square(3).stride(2, 2).pad(1).output_padding(1, 1)),
        ),
        ("T4 8x8x32 k4 s2 p1 -> 16x16x16", up(8, 8, 32, 16, k4)),
        ("T5 16x16x16 k4 s2 p1 -> 32x32x1", up(16, 16, 16, 1, k4)),
        ("T6 1x64x16 k(1,16) s(1,8) -> 1x520x1", up(1, 64, 16, 1, Geometry::new(1, 16).stride(1, 8))),
        ("T7 16x16x16 k3 s1 p1 -> 16x16x16", up(16, 16, 16, 16, Geometry::square(3).pad(1))),
        ("T8 32x32x8 k2 s2 -> 64x64x8", up(32, 32, 8, 8, k2)),
        ("C1 conv 16x16x32 k3 p1 -> 16x16x32", conv(16, 16, 32, 32, Geometry::square(3).pad(1))),
        ("C2 conv 32x32x16 k1 -> 32x32x16", conv(32, 32, 16, 16, Geometry::square(1))),
        ("C3 conv 8x8x64 k1 -> 8x8x128", conv(8, 8, 64, 128, Geometry::square(1))),
    ]
}

#[cfg(test)]
mod tests {
    #[test]
    fn useful_macs_are_those_of_the_peers() {
        let expected =
            [524_288, 524_288, 204_800, 460_800, 61_504, 16_384, 541_696, 262_144, 2_166_784, 262_144, 524_288];
        assert_eq!(super::layers().iter().map(|(_, plan)| plan.macs()).collect::<Vec<_>>(), expected);
    }
}
