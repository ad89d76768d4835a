//! SiFive HiFive1 rev B, an RV32IMAC core (FE310-G002).

#![cfg_attr(target_os = "none", no_std, no_main)]

firmware::board!(Fe310::new(0x1001_3000), Minstret, [bigpicture, suite]);
