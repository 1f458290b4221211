//! Builds small PE files for the tests: headers and one section whose content
//! the test puts together piece by piece.

/// RVA of the section.
pub(super) const BASE: u32 = 0x1000;
/// Offset of the section in the file.
pub(super) const RAW: usize = 0x400;
/// Offset of the PE header.
pub(super) const HEADER: usize = 0x80;
/// The image base of both kinds.
pub(super) const IMAGE_BASE: u64 = 0x40_0000;

#[derive(Debug, Clone)]
pub(super) struct Builder {
    wide: bool,
    pub(super) machine: u16,
    pub(super) characteristics: u16,
    pub(super) subsystem: u16,
    pub(super) dll_characteristics: u16,
    pub(super) directories: [(u32, u32); 16],
    pub(super) content: Vec<u8>,
    /// Behind the section.
    pub(super) tail: Vec<u8>,
    pub(super) symbols: u32,
}

impl Builder {
    pub(super) fn new(wide: bool) -> Self {
        Self {
            wide,
            machine: if wide { 0x8664 } else { 0x14c },
            characteristics: 0x22,
            subsystem: 3,
            dll_characteristics: 0x140,
            directories: [(0, 0); 16],
            content: vec![0; 16],
            tail: Vec::new(),
            symbols: 0,
        }
    }

    /// Adds bytes to the section, aligned; their RVA.
    pub(super) fn put(&mut self, bytes: &[u8]) -> u32 {
        while !self.content.len().is_multiple_of(8) {
            self.content.push(0);
        }
        let rva = BASE + self.content.len() as u32;
        self.content.extend_from_slice(bytes);
        rva
    }

    /// Adds 32-bit values; their RVA.
    pub(super) fn words(&mut self, words: &[u32]) -> u32 {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.put(&bytes)
    }

    /// Adds values of the width of an address; their RVA.
    pub(super) fn addresses(&mut self, values: &[u64]) -> u32 {
        let width = if self.wide { 8 } else { 4 };
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_le_bytes()[..width].to_vec())
            .collect();
        self.put(&bytes)
    }

    /// Adds a string with its NUL; its RVA.
    pub(super) fn text(&mut self, text: &str) -> u32 {
        self.put(&[text.as_bytes(), b"\0"].concat())
    }

    /// Adds a lookup table: names, or numbers.
    pub(super) fn lookup(&mut self, functions: &[Result<&str, u16>]) -> u32 {
        let flag = if self.wide { 1 << 63 } else { 1 << 31 };
        let mut entries: Vec<u64> = functions
            .iter()
            .map(|function| match function {
                Ok(name) => u64::from(self.put(&[b"\0\0", name.as_bytes(), b"\0"].concat())),
                Err(number) => flag | u64::from(*number),
            })
            .collect();
        entries.push(0);
        self.addresses(&entries)
    }

    /// Adds an import directory of libraries with their functions.
    pub(super) fn imports(&mut self, libraries: &[(&str, &[Result<&str, u16>])]) {
        let mut table = Vec::new();
        for (library, functions) in libraries {
            let name = self.text(library);
            let lookup = self.lookup(functions);
            let slots = self.lookup(functions);
            table.extend_from_slice(&[lookup, 0, 0, name, slots]);
        }
        table.extend_from_slice(&[0; 5]);
        let rva = self.words(&table);
        self.directories[1] = (rva, table.len() as u32 * 4);
    }

    /// The file.
    pub(super) fn build(&self) -> Vec<u8> {
        let mut file = b"MZ".to_vec();
        file.resize(0x3c, 0);
        file.extend_from_slice(&(HEADER as u32).to_le_bytes());
        file.resize(HEADER, 0);
        let half = |file: &mut Vec<u8>, value: u16| file.extend_from_slice(&value.to_le_bytes());
        let word = |file: &mut Vec<u8>, value: u32| file.extend_from_slice(&value.to_le_bytes());
        let raw_size = self.content.len().next_multiple_of(0x200);
        file.extend_from_slice(b"PE\0\0");
        half(&mut file, self.machine);
        half(&mut file, 1);
        word(&mut file, 0x6000_0000);
        let symbols_offset = if self.symbols > 0 { RAW + raw_size } else { 0 };
        word(&mut file, symbols_offset as u32);
        word(&mut file, self.symbols);
        half(&mut file, if self.wide { 240 } else { 224 });
        half(&mut file, self.characteristics);
        let optional = file.len();
        half(&mut file, if self.wide { 0x20b } else { 0x10b });
        file.extend_from_slice(&[14, 29]);
        for value in [raw_size as u32, 0, 0, BASE + 4, BASE] {
            word(&mut file, value);
        }
        if self.wide {
            file.extend_from_slice(&IMAGE_BASE.to_le_bytes());
        } else {
            word(&mut file, BASE);
            word(&mut file, IMAGE_BASE as u32);
        }
        for value in [0x1000, 0x200, 6, 0, 6, 0, 0x10_0000, RAW as u32, 0] {
            word(&mut file, value);
        }
        half(&mut file, self.subsystem);
        half(&mut file, self.dll_characteristics);
        file.resize(optional + if self.wide { 108 } else { 92 }, 0);
        word(&mut file, 16);
        for (rva, size) in self.directories {
            word(&mut file, rva);
            word(&mut file, size);
        }
        file.extend_from_slice(b".data\0\0\0");
        for value in [self.content.len() as u32, BASE, raw_size as u32, RAW as u32] {
            word(&mut file, value);
        }
        file.extend_from_slice(&[0; 12]);
        word(&mut file, 0xe000_0060);
        file.resize(RAW, 0);
        file.extend_from_slice(&self.content);
        file.resize(RAW + raw_size, 0);
        file.extend_from_slice(&self.tail);
        file
    }
}
