//! The few A64 instructions from which addresses are made, read from their
//! words (Arm Architecture Reference Manual for A-profile, C4.1). The text of
//! capstone has the same, but slower to read.

use super::operation::{Access, Address, Fact, Operation, Register};

/// Number of general registers; 31 is the stack pointer or zero.
const REGISTERS: usize = 31;

/// Bits of a word.
fn bits(word: u32, from: u32, count: u32) -> u32 {
    (word >> from) & ((1 << count) - 1)
}

/// Sign-extends the lowest bits.
fn signed(value: u32, count: u32) -> u64 {
    let shift = 64_u32.saturating_sub(count);
    ((u64::from(value) << shift).cast_signed() >> shift).cast_unsigned()
}

fn register(word: u32, from: u32) -> Register {
    Register(bits(word, from, 5) as u8)
}

/// What a word does to registers.
pub(super) fn operation(word: u32, address: u64) -> Operation {
    let to = register(word, 0);
    let from = register(word, 5);
    if word & 0x9f00_0000 == 0x9000_0000 || word & 0x9f00_0000 == 0x1000_0000 {
        // ADRP, ADR
        let value = signed((bits(word, 5, 19) << 2) | bits(word, 29, 2), 21);
        let value = if word >> 31 == 1 {
            (address & !0xfff).wrapping_add(value << 12)
        } else {
            address.wrapping_add(value)
        };
        return Operation::Set { to, value };
    }
    if word & 0xff80_0000 == 0x9100_0000 {
        // ADD (immediate), 64 bits
        let value = u64::from(bits(word, 10, 12)) << (12 * bits(word, 22, 1));
        return Operation::Offset { to, from, value };
    }
    if word & 0x3b00_0000 == 0x3900_0000 {
        // Loads and stores with an unsigned offset.
        let size = bits(word, 30, 2);
        let vector = word >> 26 & 1 == 1;
        let operation = bits(word, 22, 2);
        let shift = if vector && operation >= 2 { 4 } else { size };
        let place = Address {
            base: Some(from),
            index: None,
            scale: 1,
            displacement: u64::from(bits(word, 10, 12)) << shift,
        };
        if operation == 0 || (vector && operation == 2) {
            return Operation::Store { to: place };
        }
        if vector {
            // Not a general register.
            return Operation::Load {
                to: None,
                from: place,
                size: 1 << shift,
                signed: false,
            };
        }
        return Operation::Load {
            to: Some(to),
            from: place,
            size: 1 << shift,
            signed: operation >= 2,
        };
    }
    if word & 0xffff_fc1f == 0xd61f_0000 {
        return Operation::JumpTo(from);
    }
    // Everything that stores, branches or compares has another meaning for
    // the lowest bits; a register too many forgotten is harmless.
    Operation::Writes(to)
}

/// Which registers have an address that is known.
#[derive(Debug)]
pub(super) struct Pages([Option<u64>; REGISTERS]);

impl Default for Pages {
    fn default() -> Self {
        Self([None; REGISTERS])
    }
}

impl Pages {
    /// Nothing is known at another place.
    pub(super) fn forget(&mut self) {
        self.0 = [None; REGISTERS];
    }

    fn get(&self, register: Register) -> Option<u64> {
        self.0.get(usize::from(register.0)).copied().flatten()
    }

    fn set(&mut self, register: Register, value: Option<u64>) {
        if let Some(place) = self.0.get_mut(usize::from(register.0)) {
            *place = value;
        }
    }

    /// Follows an instruction, and says in its fact which data it names.
    pub(super) fn follow(&mut self, operation: &Operation, fact: &mut Fact) {
        if fact.flow.ends_a_run() {
            self.forget();
            return;
        }
        let mut name = |address: Option<u64>, access| {
            if let Some(address) = address {
                fact.memory = Some(address);
                fact.access = access;
            }
        };
        match *operation {
            Operation::Set { to, value } => {
                // That of ADR is known already; the page alone is no address.
                if fact.memory == Some(value) {
                    fact.access = Access::Address;
                }
                self.set(to, Some(value));
            }
            Operation::Offset { to, from, value } => {
                let sum = self.get(from).map(|page| page.wrapping_add(value));
                name(sum, Access::Address);
                self.set(to, sum);
            }
            Operation::Load { to, from, .. } => {
                let base = from.base.and_then(|base| self.get(base));
                let address = base.map(|base| base.wrapping_add(from.displacement));
                name(address, Access::Read);
                if let Some(to) = to {
                    self.set(to, None);
                }
            }
            Operation::Store { to } => {
                let base = to.base.and_then(|base| self.get(base));
                let address = base.map(|base| base.wrapping_add(to.displacement));
                name(address, Access::Write);
            }
            Operation::Writes(register)
            | Operation::Copy { to: register, .. }
            | Operation::Add { to: register, .. }
            | Operation::Mask { register, .. } => self.set(register, None),
            Operation::Other | Operation::Compare { .. } | Operation::JumpTo(_) => {}
        }
        // A call leaves the registers above 18 alone only.
        if fact.flow == super::Flow::Call {
            for number in 0..19 {
                self.set(Register(number), None);
            }
        }
    }
}
