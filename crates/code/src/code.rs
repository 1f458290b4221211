//! The executable bytes of a program, decoded at any address within a budget.

use reversecore_analysis::Watch;
use reversecore_analysis::disassemble::{Architecture, Decoder, Fact, Family, Operation, Walker};

use crate::memory::Memory;

/// The caller is asked whether to go on after so many instructions: about a
/// millisecond.
const ASK_EVERY: u64 = 1 << 15;

/// Decoders of a program: ARM has a second one, for Thumb.
#[derive(Debug)]
pub(crate) struct Decoders {
    first: Decoder,
    thumb: Option<Decoder>,
}

impl Decoders {
    pub(crate) fn of(
        architecture: Architecture,
    ) -> Result<Self, reversecore_analysis::disassemble::Unsupported> {
        let plain = Architecture {
            thumb: false,
            ..architecture
        };
        let thumb = match architecture.family {
            Family::Arm => Some(Decoder::new(Architecture {
                thumb: true,
                ..architecture
            })?),
            Family::X86
            | Family::Aarch64
            | Family::Mips
            | Family::Powerpc
            | Family::Riscv
            | Family::S390x
            | Family::M68k
            | Family::Sparc => None,
        };
        Ok(Self {
            first: Decoder::new(plain)?,
            thumb,
        })
    }
}

struct Stretch<'a> {
    address: u64,
    bytes: &'a [u8],
    first: Walker<'a>,
    thumb: Option<Walker<'a>>,
}

/// Why decoding ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The caller said so.
    Watch,
    /// As many instructions as the options allow.
    Budget,
}

/// Code that can be decoded anywhere.
pub(crate) struct Code<'a, 'w> {
    stretches: Vec<Stretch<'a>>,
    /// The stretch of the last instruction, and its mode.
    current: usize,
    thumb: bool,
    length: u8,
    decoded: u64,
    bytes: u64,
    most: u64,
    watch: Watch<'w>,
    ended: Option<Ended>,
}

impl<'a, 'w> Code<'a, 'w> {
    pub(crate) fn new(
        decoders: &'a Decoders,
        data: &'a [u8],
        memory: &Memory,
        most: u64,
        watch: Watch<'w>,
    ) -> Self {
        let stretches = memory
            .regions()
            .iter()
            .filter(|region| region.permissions.execute && region.size > 0)
            .map(|region| {
                let bytes = region.bytes(data);
                Stretch {
                    address: region.address,
                    bytes,
                    first: decoders.first.walk(bytes, region.address),
                    thumb: decoders
                        .thumb
                        .as_ref()
                        .map(|decoder| decoder.walk(bytes, region.address)),
                }
            })
            .collect();
        Self {
            stretches,
            current: 0,
            thumb: false,
            length: 0,
            decoded: 0,
            bytes: 0,
            most,
            watch,
            ended: None,
        }
    }

    /// Why nothing more is decoded.
    pub(crate) fn ended(&self) -> Option<Ended> {
        self.ended
    }

    /// The instruction at an address; `None` outside of code, and everywhere
    /// when the budget is spent.
    pub(crate) fn at(&mut self, address: u64, thumb: bool) -> Option<Fact> {
        if self.ended.is_some() {
            return None;
        }
        let position = self.select(address)?;
        self.thumb = thumb;
        let stretch = self.stretches.get_mut(self.current)?;
        let walker = match &mut stretch.thumb {
            Some(walker) if thumb => walker,
            Some(_) | None => &mut stretch.first,
        };
        let fact = walker.at(position)?;
        self.length = fact.length;
        self.decoded = self.decoded.saturating_add(1);
        self.bytes = self.bytes.saturating_add(u64::from(fact.length));
        if self.decoded >= self.most {
            self.ended = Some(Ended::Budget);
        } else if self.decoded.is_multiple_of(ASK_EVERY) && !(self.watch)(self.bytes) {
            self.ended = Some(Ended::Watch);
        }
        Some(fact)
    }

    /// Makes the stretch of an address the current one; the position in it.
    fn select(&mut self, address: u64) -> Option<usize> {
        let inside = |stretch: &Stretch<'_>| {
            let into = usize::try_from(address.checked_sub(stretch.address)?).ok()?;
            (into < stretch.bytes.len()).then_some(into)
        };
        if let Some(position) = self.stretches.get(self.current).and_then(inside) {
            return Some(position);
        }
        let index = self
            .stretches
            .partition_point(|stretch| stretch.address <= address)
            .checked_sub(1)?;
        let position = self.stretches.get(index).and_then(inside)?;
        self.current = index;
        Some(position)
    }

    fn walker(&mut self) -> Option<&mut Walker<'a>> {
        let stretch = self.stretches.get_mut(self.current)?;
        Some(match &mut stretch.thumb {
            Some(walker) if self.thumb => walker,
            Some(_) | None => &mut stretch.first,
        })
    }

    /// The size of the last instruction.
    pub(crate) fn last_length(&self) -> u64 {
        u64::from(self.length)
    }

    /// What the last instruction does to registers.
    pub(crate) fn operation(&mut self) -> Operation {
        self.walker()
            .map_or_else(Operation::default, |walker| walker.operation())
    }

    /// See [`Walker::fingerprint`].
    pub(crate) fn fingerprint(&mut self, hash: &mut impl std::hash::Hasher) {
        if let Some(walker) = self.walker() {
            walker.fingerprint(hash);
        }
    }

    /// Name and operands of the last instruction.
    pub(crate) fn text(&mut self) -> (&str, &str) {
        self.walker().map_or(("", ""), Walker::text)
    }

    /// The bytes from an address to the end of its stretch.
    pub(crate) fn bytes(&mut self, address: u64) -> &'a [u8] {
        let Some(position) = self.select(address) else {
            return &[];
        };
        self.stretches
            .get(self.current)
            .and_then(|stretch| stretch.bytes.get(position..))
            .unwrap_or_default()
    }
}
