//! A panic handler that calls a function which does not exist: what can panic does not link.

use core::panic::PanicInfo;

unsafe extern "C" {
    safe fn a_panic_can_be_reached() -> !;
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    a_panic_can_be_reached()
}
