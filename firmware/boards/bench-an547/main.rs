//! The bench on Arm MPS3 with the AN547 image, a Cortex-M55 in its secure state.

#![cfg_attr(target_os = "none", no_std, no_main)]

firmware::board!(
    Cmsdk::new(0x5930_3000),
    SysTick::new(32),
    [bench, digits, nuclei, ecg],
    firmware::bench::COMMAND_LINE
);
