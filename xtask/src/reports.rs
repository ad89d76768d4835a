//! What a program reports: the same program run on the host, and messages taken apart.

use anyhow::{Context, Result};
use firmware::report::Report;
use std::collections::VecDeque;

/// A board that keeps all bytes, hears what it is given, and neither counts instructions nor measures its stack.
#[derive(Default)]
pub struct Host {
    arguments: Vec<String>,
    sent: Vec<u8>,
    heard: VecDeque<Heard>,
    pressed: bool,
}

/// What a board hears or feels.
pub enum Heard {
    /// A byte.
    Byte(u8),
    /// Nothing, as often as it asks.
    Silence(u32),
    /// Its button going down or up.
    Button(bool),
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

    fn statics(&mut self) -> usize {
        0
    }

    fn receive(&mut self) -> Option<u8> {
        match self.heard.front_mut()? {
            Heard::Silence(left @ 1..) => {
                *left -= 1;
                return None;
            }
            Heard::Button(down) => self.pressed = *down,
            _ => {}
        }
        match self.heard.pop_front()? {
            Heard::Byte(byte) => Some(byte),
            _ => None,
        }
    }

    fn pressed(&mut self) -> bool {
        self.pressed
    }
}

/// All bytes that a program sends when it runs on this host.
pub fn on_host(program: fn(&mut Host), arguments: &[String]) -> Vec<u8> {
    conversation_on_host(program, arguments, VecDeque::new())
}

/// The same of a program that hears something.
pub fn conversation_on_host(program: fn(&mut Host), arguments: &[String], heard: VecDeque<Heard>) -> Vec<u8> {
    let mut host = Host { arguments: arguments.to_vec(), heard, ..Host::default() };
    program(&mut host);
    host.sent
}

/// The number of messages: each ends with the only zero in it.
pub fn count(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|b| **b == 0).count() as u64
}

/// Whether the last message says that nothing follows. The one before it has to be a message too, for a picture may hold the same bytes.
pub fn done(bytes: &[u8]) -> bool {
    let zeros = bytes.iter().enumerate().rev().filter(|(_, b)| **b == 0);
    let start = zeros.map(|(i, _)| i + 1).nth(2).unwrap_or(0);
    decode(&mut bytes[start..].to_vec()).is_ok_and(|last| matches!(last[..], [_, Report::Done]))
}

/// Decodes messages in place.
pub fn decode(bytes: &mut [u8]) -> Result<Vec<Report<'_>>> {
    let frames = bytes.split_inclusive_mut(|b| *b == 0).enumerate();
    frames
        .map(|(i, frame)| postcard::from_bytes_cobs(frame).ok().with_context(|| format!("report {} is damaged", i + 1)))
        .collect()
}

/// Reports that come in pieces.
#[derive(Default)]
pub struct Inbox(Vec<u8>);

impl Inbox {
    /// Hands over each report that is complete.
    pub fn take(&mut self, bytes: &[u8], mut each: impl FnMut(Report<'_>) -> Result<()>) -> Result<()> {
        for byte in bytes {
            self.0.push(*byte);
            if *byte == 0 {
                each(postcard::from_bytes_cobs(&mut self.0).ok().context("a report is damaged")?)?;
                self.0.clear();
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use firmware::report::send;

    #[test]
    fn a_run_is_done_when_a_report_is_followed_by_the_last() {
        let mut host = Host::default();
        host.sent.extend([9, 0, 7, 0, 8]);
        send(&mut host, &Report::Done);
        assert!(!done(&host.sent), "what comes before is no report");
        send(&mut host, &Report::Decoded { network: 0, instructions: 0, stack: 1, statics: 2 });
        assert!(!done(&host.sent));
        send(&mut host, &Report::Done);
        assert!(done(&host.sent));
        host.sent.pop();
        assert!(!done(&host.sent));
    }

    #[test]
    fn a_report_that_was_cut_off_is_an_error() {
        let mut host = Host::default();
        (0..3).for_each(|sample| send(&mut host, &Report::Output { network: 1, sample, data: &[1, 0, 2] }));
        assert_eq!(count(&host.sent), 3);
        assert_eq!(decode(&mut host.sent.clone()).unwrap().len(), 3);
        host.sent.truncate(host.sent.len() - 2);
        assert!(decode(&mut host.sent).is_err());
    }
}
