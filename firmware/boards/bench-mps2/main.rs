//! The bench on Arm MPS2 with the AN385, AN386 or AN500 image: Cortex-M3, M4F, M7; and on a Cortex-M3 for an M0, whose code it executes as it is.

#![cfg_attr(target_os = "none", no_std, no_main)]

firmware::board!(
    Cmsdk::new(0x4000_4000),
    SysTick::new(25),
    [bench, digits, nuclei, ecg],
    firmware::bench::COMMAND_LINE
);
