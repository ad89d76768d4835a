//! BBC micro:bit v1, a Cortex-M0 (nRF51822).

#![cfg_attr(target_os = "none", no_std, no_main)]

firmware::board!(Nrf51::new(0x4000_2000, 24), SysTick::new(16), [bigpicture, suite], 20);
