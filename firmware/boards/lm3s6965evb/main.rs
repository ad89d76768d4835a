//! Stellaris LM3S6965 evaluation board, a Cortex-M3, with its OLED and its button.

#![cfg_attr(target_os = "none", no_std, no_main)]

firmware::board!(
    Lm3s::uart(),
    SysTick::new(Lm3s::MHZ),
    [digits, digits_shown, nuclei_shown, ecg, bigpicture, bigpicture16, bigpicture_shown, live, suite],
    64,
    Lm3s::panel()
);
