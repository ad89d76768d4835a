//! Arm MPS3 with the AN547 image, a Cortex-M55 in its secure state, as QEMU emulates it.

#![cfg_attr(target_os = "none", no_std, no_main)]

firmware::board!(
    Cmsdk::new(0x5930_3000),
    SysTick::new(32),
    [digits, nuclei, ecg, bigpicture, bigpicture16, live, suite]
);
