//! What a program reports: the same program run on the host, and the comparison with the device.

use anyhow::{Context, Result, ensure};
use firmware::digits::DECODERS;
use firmware::report::Report;

/// A board that keeps all bytes, and neither counts instructions nor measures its stack.
#[derive(Default)]
pub struct Host {
    arguments: Vec<String>,
    sent: Vec<u8>,
}

impl firmware::Board for Host {
    fn arguments(&mut self, mut each: impl FnMut(&mut Self, &str)) {
        for argument in std::mem::take(&mut self.arguments) {
            each(self, &argument);
        }
    }

    fn send(&mut self, bytes: &[u8]) {
        self.sent.extend(bytes);
    }

    fn instructions(&mut self) -> u64 {
        0
    }

    fn paint_stack(&mut self) {}

    fn stack_peak(&mut self) -> usize {
        0
    }
}

/// All bytes that a program sends when it runs on this host.
pub fn on_host(program: fn(&mut Host), arguments: &[String]) -> Vec<u8> {
    let mut host = Host { arguments: arguments.to_vec(), sent: Vec::new() };
    program(&mut host);
    host.sent
}

/// The number of messages: each ends with the only zero in it.
pub fn count(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|b| **b == 0).count() as u64
}

/// Decodes messages in place.
pub fn decode(bytes: &mut [u8]) -> Result<Vec<Report<'_>>> {
    let frames = bytes.split_inclusive_mut(|b| *b == 0).enumerate();
    frames
        .map(|(i, frame)| postcard::from_bytes_cobs(frame).ok().with_context(|| format!("report {} is damaged", i + 1)))
        .collect()
}

/// Whether the device sent what the host did, row by row; the error names the first difference.
pub fn compare(device: &[Report<'_>], host: &[Report<'_>]) -> Result<()> {
    for (device, host) in device.iter().zip(host) {
        if let Report::Row { decoder, sample, row, .. } = host {
            let name = DECODERS[usize::from(*decoder)].name;
            ensure!(
                device == host,
                "decoder {name}, sample {sample}, row {row}: the device's bytes are not the host's"
            );
        }
    }
    ensure!(device.len() == host.len(), "the device sent {} reports, the host {}", device.len(), host.len());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use firmware::report::send;

    fn rows(damage: u8) -> Vec<u8> {
        let mut host = Host::default();
        for row in 0..3 {
            let data = [1, 2, 3 ^ if row == 1 { damage } else { 0 }];
            send(&mut host, &Report::Row { decoder: 1, sample: 7, row, data: &data });
        }
        host.sent
    }

    #[test]
    fn the_first_row_that_differs_is_named() {
        let (mut host, mut device) = (rows(0), rows(4));
        let (host, device) = (decode(&mut host).unwrap(), decode(&mut device).unwrap());
        assert!(compare(&host, &host).is_ok());
        let error = compare(&device, &host).unwrap_err().to_string();
        assert!(error.contains(DECODERS[1].name) && error.contains("sample 7, row 1"), "{error}");
        assert!(compare(&host[..2], &host).is_err());
    }

    #[test]
    fn a_report_that_was_cut_off_is_an_error() {
        let mut bytes = rows(0);
        assert_eq!(count(&bytes), 3);
        bytes.truncate(bytes.len() - 2);
        assert!(decode(&mut bytes).is_err());
    }
}
