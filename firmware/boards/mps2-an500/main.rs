//! Arm MPS2 with the AN500 image, a Cortex-M7, as QEMU emulates it.

#![cfg_attr(target_os = "none", no_std, no_main)]

firmware::board!(
    Cmsdk::new(0x4000_4000),
    SysTick::new(25),
    [digits, nuclei, ecg, bigpicture, bigpicture16, live, suite]
);
