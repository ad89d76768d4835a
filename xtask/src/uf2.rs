//! Programs as UF2 files, which the Picos' bootloaders take by drag and drop: blocks of 512 bytes that say where their 256 go.

use anyhow::{Result, ensure};
use object::LittleEndian;
use object::elf::{FileHeader32, PT_LOAD};
use object::read::elf::{ElfFile, ProgramHeader};
use std::collections::BTreeMap;

/// Bytes of a block that go to flash: a page of it.
const PAGE: usize = 256;

/// What an ELF file puts into flash: addresses and bytes, in the file's order.
pub fn loaded(elf: &[u8]) -> Result<Vec<(u32, &[u8])>> {
    let file = ElfFile::<FileHeader32<LittleEndian>>::parse(elf)?;
    let mut parts = Vec::new();
    for segment in file.elf_program_headers().iter().filter(|s| s.p_type(LittleEndian) == PT_LOAD) {
        let bytes = segment.data(LittleEndian, elf).unwrap_or_default();
        if !bytes.is_empty() {
            parts.push((segment.p_paddr(LittleEndian), bytes));
        }
    }
    ensure!(!parts.is_empty(), "the program is empty");
    Ok(parts)
}

/// The UF2 file of an ELF file, for a family of chips.
pub fn convert(elf: &[u8], family: u32) -> Result<Vec<u8>> {
    // Whole pages, because the bootloader writes no less; segments may share one.
    let mut pages: BTreeMap<u32, [u8; PAGE]> = BTreeMap::new();
    for (start, bytes) in loaded(elf)? {
        for (address, byte) in (start..).zip(bytes) {
            let offset = address % PAGE as u32;
            pages.entry(address - offset).or_insert([0; PAGE])[offset as usize] = *byte;
        }
    }
    const FAMILY_IS_GIVEN: u32 = 0x2000;
    let count = pages.len() as u32;
    let blocks = (0..).zip(pages).flat_map(|(i, (address, page))| {
        let head = [0x0A32_4655, 0x9E5D_5157, FAMILY_IS_GIVEN, address, PAGE as u32, i, count, family];
        let mut block: Vec<u8> = head.iter().flat_map(|word: &u32| word.to_le_bytes()).collect();
        block.extend(page);
        block.resize(508, 0);
        block.extend(0x0AB1_6F30u32.to_le_bytes());
        block
    });
    Ok(blocks.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program for a 32-bit machine with two segments, of which the second begins in the first one's last page.
    fn elf() -> Vec<u8> {
        let segments: [(u32, Vec<u8>); 2] =
            [(0x1000_0000, (0..=255).chain(0..40).collect()), (0x1000_0130, vec![7; 600])];
        let words = |w: &[u32]| w.iter().flat_map(|w| w.to_le_bytes()).collect::<Vec<_>>();
        let mut elf = vec![0x7F, b'E', b'L', b'F', 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        // An executable for Arm: entry, headers of segments at 52, none of sections.
        elf.extend(words(&[2 | 40 << 16, 1, 0, 52, 0, 0, 52 | 32 << 16, 2, 0]));
        let mut offset = 52 + 2 * 32;
        for (address, bytes) in &segments {
            let len = bytes.len() as u32;
            // Loaded at `address`, run elsewhere.
            elf.extend(words(&[PT_LOAD, offset, 0x2000_0000, *address, len, len, 5, 4]));
            offset += len;
        }
        segments.iter().for_each(|(_, bytes)| elf.extend(bytes));
        elf
    }

    #[test]
    fn another_decoder_reads_back_what_is_loaded() {
        let elf = elf();
        let file = convert(&elf, 0xE48B_FF56).unwrap();
        assert_eq!(file.len(), 4 * 512);
        let (bytes, families) = uf2_decode::convert_from_uf2(&file).unwrap();
        assert_eq!(families.into_iter().collect::<Vec<_>>(), [(0xE48B_FF56, 0x1000_0000)]);
        let mut expected = vec![0; 1024];
        for (address, part) in loaded(&elf).unwrap() {
            expected[address as usize - 0x1000_0000..][..part.len()].copy_from_slice(part);
        }
        assert_eq!(bytes, expected);
    }

    #[test]
    fn what_is_no_program_is_refused() {
        assert!(convert(b"no ELF file", 0).is_err());
        assert!(convert(&elf()[..100], 0).is_err());
    }
}
