//! Every group of the kernels' suite (convolutions of all widths, folds, resizes, shuffles, unpooling, padding, joins, tables), whole
//! and by rows, with the fuzzer's bytes as its choices: geometry first, then values.

#![no_main]

use firmware::suite::{GROUPS, HOST_GROUPS, MORE_GROUPS, Random};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let [group, choices @ ..] = bytes {
        let groups = GROUPS.iter().chain(MORE_GROUPS).chain(HOST_GROUPS);
        let group = usize::from(*group) % groups.clone().count();
        let Some((name, group)) = groups.clone().nth(group) else { return };
        assert_eq!(group(Random::of_bytes(choices), 1).failed, 0, "{name}");
    }
});
