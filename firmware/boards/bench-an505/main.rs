//! The bench on Arm MPS2 with the AN505 image, a Cortex-M33 in its secure state.

#![cfg_attr(target_os = "none", no_std, no_main)]

firmware::board!(
    Cmsdk::new(0x5020_0000),
    SysTick::new(20),
    [bench, digits, nuclei, ecg],
    firmware::bench::COMMAND_LINE
);
