//! What others need for the same layers, in instructions under the same emulators, counted in the same way in November 2026.
//!
//! | peer | version | compiler |
//! |---|---|---|
//! | CMSIS-NN | 99f736a6 (2026-07-15) | arm-none-eabi-gcc 12.2 -O3; M55: the better of that and clang 19 |
//! | TensorFlow Lite Micro, reference kernels | 90b983c2 | its own -O2 |
//! | muRISCV-NN | 4eb6a1f | gcc -O3 |
//! | embedded-nn | 0.2.3 | rustc, opt-level 3, fat LTO |
//!
//! `wrapper` is the function that TFLM and ExecuTorch call, `scatter` the better kernel inside, called directly. M0, M3 and M55 have
//! the best of them. An M33 and an M7 execute what an M4 does.

/// A count of another library.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Peer {
    /// Whose.
    pub name: &'static str,
    /// The layer's name.
    pub layer: &'static str,
    /// The core.
    pub core: &'static str,
    /// What the run takes.
    pub cost: PeerCost,
    /// Bytes of scratch, where known.
    pub scratch: Option<u32>,
}

/// How a count was given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PeerCost {
    /// Instructions.
    Instructions(u64),
    /// Instructions per MAC, or per output value where there are no MACs.
    PerUnit(f64),
}

impl PeerCost {
    /// Instructions per unit of a layer of so many units.
    pub fn per_unit(self, units: u64) -> f64 {
        match self {
            PeerCost::Instructions(n) => n as f64 / units as f64,
            PeerCost::PerUnit(n) => n,
        }
    }
}

/// Layer, scratch of the wrapper and of scatter, M0 best, M3 best, M4 wrapper, M4 scatter, M55 best.
type CmsisNn = (&'static str, [u32; 2], [u64; 5]);

const CMSIS_NN: [CmsisNn; 11] = [
    ("T1", [9216, 4096], [5_163_754, 2_374_719, 4_041_140, 1_740_299, 263_955]),
    ("T2", [2560, 4096], [6_227_871, 2_866_375, 4_787_924, 2_220_379, 440_211]),
    ("T3", [5760, 2880], [2_092_393, 1_125_275, 1_842_052, 753_172, 180_013]),
    ("T4", [10240, 4608], [4_768_709, 2_256_182, 4_086_672, 1_627_958, 323_064]),
    ("T5", [544, 544], [765_346, 384_022, 301_462, 301_462, 110_834]),
    ("T6", [2080, 2080], [250_846, 128_103, 107_276, 107_276, 41_833]),
    ("T7", [3456, 3456], [5_802_827, 2_846_704, 2_106_556, 2_106_556, 609_386]),
    ("T8", [4096, 4096], [6_383_644, 2_984_567, 2_614_427, 2_614_427, 827_379]),
    ("C1", [1152, 1152], [15_813_533, 6_771_394, 4_542_348, 4_542_348, 591_217]),
    ("C2", [0, 0], [3_182_475, 1_256_941, 1_037_821, 1_037_821, 278_430]),
    ("C3", [0, 0], [3_987_841, 1_639_389, 1_106_565, 1_106_565, 203_406]),
];

/// muRISCV-NN on RV32IMAC, instructions per MAC.
const MURISCV_NN: [(&str, f64); 10] = [
    ("T1", 5.67),
    ("T2", 6.95),
    ("T3", 7.19),
    ("T4", 5.95),
    ("T5", 7.12),
    ("T6", 9.03),
    ("T7", 6.17),
    ("T8", 14.8),
    ("C1", 4.32),
    ("C2", 6.32),
];

/// embedded-nn on M4, instructions per MAC.
const EMBEDDED_NN: [(&str, f64); 8] =
    [("T1", 17.7), ("T2", 20.4), ("T3", 18.7), ("T4", 17.9), ("T5", 20.9), ("T6", 27.4), ("T7", 18.0), ("T8", 36.7)];

/// TFLM's reference kernels on M4, instructions per MAC, and bytes of scratch: an int32 image of the output.
const TFLM: [(&str, f64, u32); 3] = [("T1", 26.0, 32 << 10), ("T4", 28.1, 16 << 10), ("T8", 36.0, 128 << 10)];

/// TFLM's resizes, instructions per output value on M4, M3, M0, M55.
const TFLM_RESIZE: [(&str, [f64; 4]); 6] = [
    ("R1", [58.5, 60.3, 407.0, 65.1]),
    ("R2", [60.9, 62.4, 409.0, 67.5]),
    ("R3", [65.4, 66.7, 415.0, 72.2]),
    ("N1", [2.46, 8.9, 27.0, 1.9]),
    ("N2", [8.19, 33.0, 106.0, 5.6]),
    ("D1", [2.93, 4.80, 10.8, 2.9]),
];

/// The cores that execute the same instructions as an M4.
const AS_M4: [&str; 3] = ["m4", "m7", "m33"];

/// Every count, the wrapper's before scatter's.
pub fn all() -> Vec<Peer> {
    let mut all = Vec::new();
    let mut peer = |name, layer, core, cost, scratch| all.push(Peer { name, layer, core, cost, scratch });
    for (layer, [wrapper_scratch, scatter_scratch], [m0, m3, wrapper, scatter, m55]) in CMSIS_NN {
        for (core, n) in [("m0", m0), ("m3", m3), ("m55", m55)] {
            peer("CMSIS-NN best", layer, core, PeerCost::Instructions(n), None);
        }
        for core in AS_M4 {
            peer("CMSIS-NN wrapper", layer, core, PeerCost::Instructions(wrapper), Some(wrapper_scratch));
            if scatter != wrapper {
                peer("CMSIS-NN scatter", layer, core, PeerCost::Instructions(scatter), Some(scatter_scratch));
            }
        }
    }
    for (layer, n) in MURISCV_NN {
        peer("muRISCV-NN", layer, "rv32", PeerCost::PerUnit(n), None);
    }
    for core in AS_M4 {
        for (layer, n) in EMBEDDED_NN {
            peer("embedded-nn", layer, core, PeerCost::PerUnit(n), None);
        }
        for (layer, n, scratch) in TFLM {
            peer("TFLM", layer, core, PeerCost::PerUnit(n), Some(scratch));
        }
    }
    for (layer, [m4, m3, m0, m55]) in TFLM_RESIZE {
        for (core, n) in AS_M4.map(|core| (core, m4)).into_iter().chain([("m3", m3), ("m0", m0), ("m55", m55)]) {
            peer("TFLM", layer, core, PeerCost::PerUnit(n), None);
        }
    }
    all
}
