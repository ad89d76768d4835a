//! What a host tells a board, on the line on which the board reports: keys, and frames between zeros.
//!
//! A frame is a [`Command`] in postcard's format, its CRC-32 behind it, framed by COBS: two zeros, bytes that are not zero, a zero. Bytes outside a
//! frame are keys. Whatever is damaged is refused with a reason, and the line finds its way back: the first zero of a frame ends one that was cut off,
//! and so does silence.

use crc::{CRC_32_ISO_HDLC, Crc};
use postcard::ser_flavors::crc::CrcModifier;
use postcard::ser_flavors::{Cobs, Slice};
use serde::{Deserialize, Serialize};

/// A message of the host.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command<'a> {
    /// An input for the network: raw values, int8.
    Input(&'a [u8]),
}

/// The longest frame, in bytes between its zeros.
pub const LONGEST: usize = 64;

/// A frame in which nothing has come for as many calls of [`Console::take`] is over: about a second on a core of some 50 MHz.
pub const SILENCE: u32 = 1 << 21;

static CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// What has come from the host.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event<'a> {
    /// A key.
    Key(u8),
    /// A whole frame.
    Command(Command<'a>),
    /// Something that is no frame.
    Refused(Refusal),
}

/// Why something was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// The frame's end did not come.
    Truncated,
    /// The frame is longer than [`LONGEST`].
    Oversized,
    /// The frame's CRC is not that of its bytes.
    Corrupt,
    /// The frame holds no command that is known.
    Unknown,
    /// The input has another length than the network's.
    Length {
        /// Its values.
        got: u32,
        /// Those that the network takes.
        need: u32,
    },
    /// No such key is known.
    Key(u8),
}

/// The receiving end of the line.
#[derive(Debug)]
pub struct Console {
    frame: [u8; LONGEST],
    len: usize,
    /// Whether the last zero began a frame.
    open: bool,
    silence: u32,
}

impl Default for Console {
    fn default() -> Self {
        Console { frame: [0; LONGEST], len: 0, open: false, silence: 0 }
    }
}

impl Console {
    /// Whether a frame is on its way.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Takes the next byte, `None` while there is none, and tells what it completes.
    pub fn take(&mut self, byte: Option<u8>) -> Option<Event<'_>> {
        let Some(byte) = byte else { return self.wait() };
        self.silence = 0;
        match (self.open, byte) {
            (false, 0) => self.open = true,
            (false, key) => return Some(Event::Key(key)),
            (true, 0) if self.len > 0 => return Some(self.end()),
            (true, 0) => {}
            (true, byte) => {
                if let Some(to) = self.frame.get_mut(self.len) {
                    *to = byte;
                }
                self.len = self.len.saturating_add(1);
            }
        }
        None
    }

    fn wait(&mut self) -> Option<Event<'static>> {
        if !self.open {
            return None;
        }
        self.silence += 1;
        if self.silence < SILENCE {
            return None;
        }
        self.open = false;
        self.silence = 0;
        let begun = core::mem::take(&mut self.len) > 0;
        begun.then_some(Event::Refused(Refusal::Truncated))
    }

    /// A zero after bytes: the end of a frame.
    fn end(&mut self) -> Event<'_> {
        self.open = false;
        let len = core::mem::take(&mut self.len);
        let Some(frame) = self.frame.get_mut(..len) else { return Event::Refused(Refusal::Oversized) };
        // Fails where the code of a byte points behind the end.
        let Some((message, sum)) = cobs::decode_in_place(frame).ok().and_then(|len| frame[..len].split_last_chunk())
        else {
            return Event::Refused(Refusal::Truncated);
        };
        if CRC.checksum(message) != u32::from_le_bytes(*sum) {
            return Event::Refused(Refusal::Corrupt);
        }
        match postcard::take_from_bytes(message) {
            Ok((command, [])) => Event::Command(command),
            _ => Event::Refused(Refusal::Unknown),
        }
    }
}

/// The frame of a command, zeros included.
///
/// # Errors
/// postcard's, when `buffer` is too short.
pub fn frame<'b>(command: &Command<'_>, buffer: &'b mut [u8]) -> postcard::Result<&'b mut [u8]> {
    let Some((zeros, rest)) = buffer.split_first_chunk_mut() else {
        return Err(postcard::Error::SerializeBufferFull);
    };
    *zeros = [0; 2];
    let to = CrcModifier::new(Cobs::try_new(Slice::new(rest))?, CRC.digest());
    let len = 2 + postcard::serialize_with_flavor(command, to)?.len();
    Ok(&mut buffer[..len])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What bytes come to, with silence after them.
    fn hear(console: &mut Console, bytes: &[u8]) -> Vec<Result<Vec<u8>, Refusal>> {
        let mut heard = hear_now(console, bytes);
        for _ in 0..SILENCE {
            match console.take(None) {
                Some(Event::Refused(why)) => heard.push(Err(why)),
                other => assert_eq!(other, None),
            }
        }
        heard
    }

    /// What bytes come to.
    fn hear_now(console: &mut Console, bytes: &[u8]) -> Vec<Result<Vec<u8>, Refusal>> {
        let mut heard = Vec::new();
        for byte in bytes {
            heard.extend(console.take(Some(*byte)).map(|event| match event {
                Event::Key(key) => Ok(vec![key]),
                Event::Command(Command::Input(values)) => Ok(values.to_vec()),
                Event::Refused(why) => Err(why),
            }));
        }
        heard
    }

    fn framed(values: &[u8]) -> Vec<u8> {
        frame(&Command::Input(values), &mut [0; 2 * LONGEST]).unwrap().to_vec()
    }

    const VALUES: [u8; 16] = [0, 1, 2, 255, 0, 0, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0];

    #[test]
    fn keys_and_frames_are_told_apart() {
        let bytes = [&b"q"[..], &framed(&VALUES), b"n", &framed(b"q")].concat();
        let expected = [Ok(b"q".to_vec()), Ok(VALUES.to_vec()), Ok(b"n".to_vec()), Ok(b"q".to_vec())];
        assert_eq!(hear(&mut Console::default(), &bytes), expected);
    }

    #[test]
    fn a_frame_that_is_cut_off_anywhere_is_refused_by_silence_or_by_the_next_one() {
        let whole = framed(&VALUES);
        for end in 3..whole.len() {
            let mut console = Console::default();
            assert_eq!(hear(&mut console, &whole[..end]), [Err(Refusal::Truncated)], "{end} bytes");
            assert_eq!(hear(&mut console, b"n"), [Ok(b"n".to_vec())]);
            let both = hear(&mut console, &[&whole[..end], &whole].concat());
            assert!(both.len() == 2 && both[0].is_err() && both[1] == Ok(VALUES.to_vec()) || end == whole.len() - 1);
        }
    }

    #[test]
    fn a_change_of_any_byte_is_refused_and_the_next_frame_taken() {
        let whole = framed(&VALUES);
        for i in 0..whole.len() {
            for flip in 1..=255 {
                let mut damaged = whole.clone();
                damaged[i] ^= flip;
                let mut console = Console::default();
                let heard = hear_now(&mut console, &[&damaged[..], &whole].concat());
                let right = heard.iter().filter(|heard| **heard == Ok(VALUES.to_vec())).count();
                // Of the two zeros at the beginning either will do.
                assert_eq!(right, if i < 2 { 2.min(right.max(1)) } else { 1 }, "byte {i} by {flip}: {heard:?}");
                assert!(i < 2 || heard.iter().any(Result::is_err), "byte {i} by {flip}");
            }
        }
    }

    #[test]
    fn a_frame_that_is_too_long_or_holds_no_command_is_refused() {
        let mut console = Console::default();
        assert_eq!(hear(&mut console, &framed(&[1; LONGEST])), [Err(Refusal::Oversized)]);
        let unknown = |message: &[u8]| {
            let message = [message, &CRC.checksum(message).to_le_bytes()].concat();
            let mut framed = vec![0; 80];
            let len = cobs::encode(&message, &mut framed[1..]);
            framed.truncate(len + 2);
            framed
        };
        assert_eq!(hear(&mut console, &unknown(&[9])), [Err(Refusal::Unknown)]);
        // More than the command.
        assert_eq!(hear(&mut console, &unknown(&[0, 1, 5, 5])), [Err(Refusal::Unknown)]);
        assert_eq!(hear(&mut console, &unknown(&[0, 1, 5])), [Ok(vec![5])]);
    }

    #[test]
    fn after_any_bytes_a_whole_frame_is_taken() {
        let mut state = 1u32;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        let mut console = Console::default();
        for _ in 0..20_000 {
            // Zeros among them.
            let mut bytes: Vec<_> = (0..random() % 100).map(|_| random() & random() & random()).collect();
            bytes.extend(framed(&VALUES));
            assert_eq!(hear_now(&mut console, &bytes).last(), Some(&Ok(VALUES.to_vec())), "{bytes:?}");
        }
    }
}
