//! A debugger or an emulator as the host: it names the program, prints the log and takes the exit code.

use defmt_semihosting as _;
use semihosting::experimental::env;
pub use semihosting::process::exit;

/// The command line, in N bytes: the binary's own name, the program's, its arguments.
#[derive(Default)]
pub struct Arguments<const N: usize>(Option<env::Args<N>>);

impl<const N: usize> Arguments<N> {
    pub fn read() -> Self {
        Arguments(env::args().ok())
    }

    pub fn program(&self) -> &str {
        self.0.as_ref().and_then(|all| all.into_iter().nth(1)?.ok()).unwrap_or_default()
    }

    pub fn each(self, mut each: impl FnMut(&str)) {
        self.0.iter().flatten().for_each(|argument| each(argument.unwrap_or_default()));
    }
}
