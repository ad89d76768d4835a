//! A board that runs alone: its program was chosen when it was built, its log waits in memory for a probe (RTT), and after the end it stays.

use defmt_rtt as _;

/// No command line: arguments were chosen when it was built, too.
#[derive(Default)]
pub struct Arguments<const N: usize>;

impl<const N: usize> Arguments<N> {
    pub fn read() -> Self {
        Arguments
    }

    /// The one that a feature names.
    pub fn program(&self) -> &str {
        match () {
            // It brings the digits' networks.
            _ if cfg!(feature = "live") => "live",
            _ if cfg!(feature = "digits") => "digits",
            _ if cfg!(feature = "nuclei") => "nuclei",
            _ if cfg!(feature = "ecg") => "ecg",
            _ if cfg!(feature = "bigpicture") => "bigpicture",
            _ if cfg!(feature = "bench") => "bench",
            _ => "suite",
        }
    }

    pub fn each(self, each: impl FnMut(&str)) {
        option_env!("UPCONV_ARGUMENTS").unwrap_or_default().split(';').for_each(each);
    }
}

/// Stays: there is nowhere to go.
pub fn exit(_: i32) -> ! {
    loop {
        core::hint::spin_loop();
    }
}
