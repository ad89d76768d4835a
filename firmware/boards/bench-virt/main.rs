//! The bench on QEMU's `virt`, an RV32IMAC core.

#![cfg_attr(target_os = "none", no_std, no_main)]

firmware::board!(Ns16550::new(0x1000_0000), HartCounter, [bench, digits, nuclei, ecg], firmware::bench::COMMAND_LINE);
