//! `disassemble`: instructions at an address, an offset, a symbol or the entry
//! point.

use std::fmt::Write as _;

use reversecore_analysis::binary::{self, Endian, ParseOptions};
use reversecore_analysis::disassemble::{
    Architecture, Disassembly, Family, Request as Question, Start, disassemble,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::code::listing::Listing;
use crate::arguments::{invalid, number};
use crate::bounded::{Bounded, Timeout};
use crate::embedded::present::Tree;
use crate::embedded::worker::{File, Request, Resident};
use crate::embedded::{Trouble, Work};
use crate::error::ToolError;
use crate::schedule::{Workload, estimates};
use crate::schema::{self, List, Object};
use crate::text::quoted;
use crate::tool::{Answer, Call, Tool};

/// The names that `architecture` takes, and what each means.
const ARCHITECTURES: [(&str, Architecture); 22] = [
    ("x86-16", Architecture::x86(16)),
    ("x86", Architecture::x86(32)),
    ("x86-64", Architecture::x86(64)),
    ("arm", little(Family::Arm, 32)),
    ("armeb", big(Family::Arm, 32)),
    ("thumb", thumb(Endian::Little)),
    ("thumbeb", thumb(Endian::Big)),
    ("aarch64", little(Family::Aarch64, 64)),
    ("mips", big(Family::Mips, 32)),
    ("mipsel", little(Family::Mips, 32)),
    ("mips64", big(Family::Mips, 64)),
    ("mips64el", little(Family::Mips, 64)),
    ("powerpc", big(Family::Powerpc, 32)),
    ("powerpcle", little(Family::Powerpc, 32)),
    ("powerpc64", big(Family::Powerpc, 64)),
    ("powerpc64le", little(Family::Powerpc, 64)),
    ("riscv32", little(Family::Riscv, 32)),
    ("riscv64", little(Family::Riscv, 64)),
    ("s390x", big(Family::S390x, 64)),
    ("m68k", big(Family::M68k, 32)),
    ("sparc", big(Family::Sparc, 32)),
    ("sparc64", big(Family::Sparc, 64)),
];

const fn little(family: Family, bits: u8) -> Architecture {
    Architecture::new(family, bits, Endian::Little)
}

const fn big(family: Family, bits: u8) -> Architecture {
    Architecture::new(family, bits, Endian::Big)
}

const fn thumb(endian: Endian) -> Architecture {
    let mut thumb = Architecture::new(Family::Arm, 32, endian);
    thumb.thumb = true;
    thumb
}

/// The tool.
#[derive(Debug, Clone, Copy)]
pub(super) struct DisassembleCode;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// Path in the workspace.
    file_path: String,
    /// Virtual address, such as 0x401000; without address, offset and symbol: the entry point.
    #[serde(default)]
    address: Option<String>,
    /// Offset in the file, such as 0x400.
    #[serde(default)]
    offset: Option<String>,
    /// Name of a symbol or export.
    #[serde(default)]
    symbol: Option<String>,
    /// All of a function, by its name or an address in it; stripped programs too.
    #[serde(default)]
    function: Option<String>,
    /// Most instructions.
    #[serde(default = "sixty_four")]
    count: Bounded<1, 10_000>,
    /// For raw code, or one image of a universal file: x86-16, x86, x86-64, arm, thumb, aarch64, mips, mipsel, mips64, powerpc, powerpc64, powerpc64le, riscv32, riscv64, s390x, m68k, sparc, …
    #[serde(default)]
    architecture: Option<String>,
    /// Seconds.
    #[serde(default)]
    timeout: Timeout<60>,
}

/// What a worker is asked.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Disassemble {
    at: At,
    count: u32,
    /// A name of [`ARCHITECTURES`].
    architecture: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum At {
    Entry,
    Address(u64),
    Offset(u64),
    Symbol(String),
}

impl Work for Disassemble {
    type Reply = Disassembly;

    fn request(self) -> Request {
        Request::Disassemble(self)
    }

    fn perform(self, file: &mut File<'_, '_>, _: &mut Resident) -> Result<Disassembly, Trouble> {
        let options = ParseOptions {
            entropy: false,
            ..ParseOptions::default()
        };
        let parsed = binary::parse(file.bytes(), &options);
        let wanted = self.architecture.as_deref().and_then(named);
        // In a universal file the architecture chooses the image; where none
        // has it, it is how the bytes are to be read.
        let image = parsed
            .images
            .iter()
            .find(|image| wanted.is_none_or(|wanted| Architecture::of(image) == Some(wanted)))
            .or(parsed.images.first());
        let own = image.and_then(Architecture::of);
        let request = Question {
            at: match self.at {
                At::Entry => Start::Entry,
                At::Address(address) => Start::Address(address),
                At::Offset(offset) => Start::Offset(offset),
                At::Symbol(name) => Start::Symbol(name),
            },
            count: self.count,
            bytes: None,
            architecture: wanted.filter(|wanted| own != Some(*wanted)),
        };
        let name = match request.at {
            Start::Entry => "address",
            Start::Address(_) => "address",
            Start::Offset(_) => "offset",
            Start::Symbol(_) => "symbol",
        };
        disassemble(file.bytes(), image, &request).map_err(|error| Trouble::Parameter {
            name: name.to_owned(),
            reason: error.to_string(),
        })
    }
}

fn named(name: &str) -> Option<Architecture> {
    ARCHITECTURES
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, architecture)| *architecture)
}

/// The members of the report.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct Shape {
    architecture: String,
    bits: u8,
    endian: String,
    mode: String,
    start: Object,
    symbol: String,
    instructions: List,
    stopped: String,
    next: Object,
}

impl Tool for DisassembleCode {
    type Params = Params;
    type Report = Tree;

    const NAME: &'static str = "disassemble";
    const ALIASES: &'static [&'static str] = &["disassemble_with_capstone"];
    const TITLE: &'static str = "Disassemble";
    const DESCRIPTION: &'static str = "Disassemble x86, ARM, AArch64, MIPS, PowerPC, RISC-V and more at an `address`, file `offset`, `symbol` or, by default, the entry point. Each instruction with address, bytes, and for branches and calls the target and its symbol; `next` continues. Raw code needs `architecture`.";

    fn report_schema() -> Value {
        schema::report::<Shape>()
    }

    fn workload(params: &Params) -> Workload<'_> {
        Workload::on(&params.file_path, estimates::DISASSEMBLE, params.timeout)
    }

    async fn run(&self, call: &Call<'_>, params: Params) -> Result<Answer<Tree>, ToolError> {
        let timeout = params.timeout.resolve(call.services.default_timeout);
        if let Some(name) = &params.architecture
            && named(name).is_none()
        {
            let known: Vec<_> = ARCHITECTURES.iter().map(|(name, _)| *name).collect();
            return Err(invalid(
                "architecture",
                format!("`{}` is not known", quoted(name)),
                format!("Known are {}.", known.join(", ")),
            ));
        }
        if let Some(function) = &params.function {
            let given = (
                &params.address,
                &params.offset,
                &params.symbol,
                &params.architecture,
            );
            if given != (&None, &None, &None, &None) {
                return Err(invalid(
                    "function",
                    "is given together with another place or architecture",
                    "Give `function` alone.",
                ));
            }
            let listing = Listing {
                function: function.clone(),
                count: u32::try_from(params.count.get()).unwrap_or(u32::MAX),
            };
            return listing
                .tool_answer(call, &params.file_path, timeout, text)
                .await;
        }
        let work = Disassemble {
            at: place(&params)?,
            count: u32::try_from(params.count.get()).unwrap_or(u32::MAX),
            architecture: params.architecture,
        };
        let mut listing = call.examine(&params.file_path, timeout, work).await?.reply;
        let warnings = std::mem::take(&mut listing.warnings);
        let mut answer = Answer::complete(Tree::new(&listing, text));
        answer.add_warnings(warnings);
        Ok(answer)
    }
}

fn place(params: &Params) -> Result<At, ToolError> {
    const HINT: &str = "Give one of `address`, `offset` and `symbol`, or none for the entry point.";
    let given = (&params.address, &params.offset, &params.symbol);
    match given {
        (None, None, None) => Ok(At::Entry),
        (Some(address), None, None) => Ok(At::Address(number_of("address", address)?)),
        (None, Some(offset), None) => Ok(At::Offset(number_of("offset", offset)?)),
        (None, None, Some(name)) => Ok(At::Symbol(name.clone())),
        (Some(_), Some(_), _) | (Some(_), _, Some(_)) => {
            Err(invalid("address", "is given together with another", HINT))
        }
        (None, Some(_), Some(_)) => Err(invalid("offset", "is given together with `symbol`", HINT)),
    }
}

/// The number that a parameter holds.
pub(in crate::tools) fn number_of(parameter: &str, text: &str) -> Result<u64, ToolError> {
    number(text).ok_or_else(|| {
        invalid(
            parameter,
            format!("`{}` is no number", quoted(text)),
            "Use hexadecimal with 0x, or decimal.",
        )
    })
}

fn text(value: &Value) -> String {
    let mut text = String::new();
    let word = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    // Writing to a String can't fail.
    writeln!(
        text,
        "{}, {}",
        word(value, "architecture"),
        word(value, "mode")
    )
    .ok();
    for item in value["instructions"].as_array().into_iter().flatten() {
        write!(
            text,
            "{:#x}  {:<16}  {} {}",
            item["address"].as_u64().unwrap_or_default(),
            word(item, "bytes"),
            word(item, "mnemonic"),
            word(item, "operands"),
        )
        .ok();
        if let Some(symbol) = item["symbol"].as_str() {
            write!(text, "  ; {symbol}").ok();
        }
        text.push('\n');
    }
    if let Some(next) = value["next"]["address"].as_u64() {
        writeln!(text, "[continue with address={next:#x}]").ok();
    }
    text
}

fn sixty_four() -> Bounded<1, 10_000> {
    Bounded::new(64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_hexadecimal_or_decimal() {
        assert_eq!(number_of("address", "0x401000").unwrap(), 0x40_1000);
        assert_eq!(number_of("offset", "64").unwrap(), 64);
        for bad in ["", "0x", "main", "-1", "0x1ffffffffffffffff"] {
            let error = number_of("address", bad).unwrap_err();
            assert!(error.message.contains("`address`"), "{error}");
        }
    }
}
