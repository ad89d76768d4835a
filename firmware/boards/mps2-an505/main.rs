//! Arm MPS2 with the AN505 image, a Cortex-M33 in its secure state, as QEMU emulates it.

#![cfg_attr(target_os = "none", no_std, no_main)]

firmware::board!(
    Cmsdk::new(0x5020_0000),
    SysTick::new(20),
    [digits, nuclei, ecg, bigpicture, bigpicture16, live, suite]
);
