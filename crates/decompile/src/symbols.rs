//! Tells the decompiler what is known of a function and its surroundings, and
//! takes it back: what stayed would show in the texts of other functions, and
//! fill the memory.

use std::collections::BTreeMap;

use ghidra_decompiler::address::Address;
use ghidra_decompiler::architecture::Architecture;
use ghidra_decompiler::database::{Database, ScopeId, SymbolId};
use ghidra_decompiler::error::{Error, Result};
use ghidra_decompiler::fspec::ParameterPieces;
use ghidra_decompiler::space::SpaceRef;
use ghidra_decompiler::types::TypeMetatype;
use reversecore_analysis::disassemble::Family;
use reversecore_code::{Function, Kind, Program};

use crate::context::{Context, Places};
use crate::image::Bytes;
use crate::language::Language;
use crate::prototypes;
use crate::results::Outcome;
use crate::texts;

/// Characters of a name; mangled ones can have thousands.
const LONGEST_NAME: usize = 200;
/// Data of more bytes is shown without its size.
const LARGEST_DATA: u64 = 1 << 20;
/// Addresses given to two imports without a stub are so far apart.
pub(crate) const APART: u64 = 16;

/// What is known of a program, and how it is told.
pub(crate) struct Teller<'a> {
    pub(crate) program: &'a Program,
    pub(crate) places: &'a Places,
    pub(crate) bytes: &'a Bytes,
    pub(crate) language: &'a Language,
    /// Where imports without a stub are said to be.
    pub(crate) outside: Option<u64>,
    /// Texts of two bytes a character are looked for.
    pub(crate) wide: bool,
}

/// What was told.
#[derive(Debug)]
pub(crate) struct Told {
    /// The function in question.
    pub(crate) function: SymbolId,
    scope: ScopeId,
    others: Vec<SymbolId>,
    /// Imports by their numbers.
    imports: BTreeMap<u32, u64>,
}

impl Told {
    /// Takes everything back.
    pub(crate) fn forget(self, architecture: &mut Architecture) -> Result<()> {
        let database = architecture.symboltab_mut()?;
        for symbol in self.others.into_iter().chain([self.function]) {
            database.scope_remove_symbol(self.scope, symbol);
        }
        Ok(())
    }
}

impl Teller<'_> {
    /// Tells everything. What can't be told is left out.
    pub(crate) fn tell(
        &self,
        architecture: &mut Architecture,
        function: &Function,
        context: &Context,
        result: Option<&Outcome>,
    ) -> Result<Told> {
        let missing = || Error::Lowlevel("no symbol table".to_owned());
        let scope = architecture
            .symboltab_ref()?
            .get_global_scope()
            .ok_or_else(missing)?;
        self.modes(architecture, function)?;
        let symbol = self.function(architecture, scope, function)?;
        if let Some(result) = result {
            returns(architecture, symbol, result)?;
        }
        let mut told = Told {
            function: symbol,
            scope,
            others: Vec::new(),
            imports: BTreeMap::new(),
        };
        for &address in &context.functions {
            let Some(callee) = self.program.function_at(address) else {
                continue;
            };
            if let Ok(symbol) = self.function(architecture, scope, callee) {
                told.others.push(symbol);
            }
            if let Some(import) = callee.import {
                told.imports.insert(import, address);
            }
        }
        for (&slot, &import) in &context.slots {
            let endless = context.endless.contains(&import);
            // What can't be told keeps its address in the text.
            drop(self.slot(architecture, &mut told, slot, import, endless));
        }
        for &address in &context.data {
            if let Ok(Some(symbol)) = self.data(architecture, scope, address) {
                told.others.push(symbol);
            }
        }
        Ok(told)
    }

    fn function(
        &self,
        architecture: &mut Architecture,
        scope: ScopeId,
        function: &Function,
    ) -> Result<SymbolId> {
        let name = self.program.name(function);
        let types = match function.kind {
            Kind::ImportThunk | Kind::Import => prototypes::of_import(&name),
            Kind::Function | Kind::Entry => prototypes::of_function(&name),
        };
        let address = code(architecture, function.address)?;
        self.add_function(
            architecture,
            scope,
            &address,
            &name,
            types,
            !function.returns,
        )
    }

    fn add_function(
        &self,
        architecture: &mut Architecture,
        scope: ScopeId,
        address: &Address,
        name: &str,
        types: Option<&str>,
        endless: bool,
    ) -> Result<SymbolId> {
        let symbol = Database::scope_add_function(architecture, scope, address, &identifier(name))?;
        let pieces = types
            .map(|types| prototypes::pieces(architecture, self.language, types))
            .transpose()?;
        let inlined = self.is_own_address(address.get_offset());
        if pieces.is_none() && !endless && !inlined {
            return Ok(symbol);
        }
        let Some(function) = Database::symbol_get_function(architecture, symbol)? else {
            return Ok(symbol);
        };
        let mut prototype = std::mem::take(function.get_func_proto_mut());
        let set = pieces.map(|pieces| prototype.set_pieces(&pieces, architecture));
        prototype.set_no_return(endless);
        prototype.set_inline(inlined);
        if let Some(function) = Database::symbol_get_function(architecture, symbol)? {
            *function.get_func_proto_mut() = prototype;
        }
        set.transpose()?;
        Ok(symbol)
    }

    /// Whether a function gives its caller the address it was called from, which
    /// is how code for 32-bit x86 finds its data wherever it is loaded.
    fn is_own_address(&self, address: u64) -> bool {
        // mov r32, [esp]; ret
        self.language.family == Family::X86
            && self.language.pointer == 4
            && matches!(self.bytes.from(address), [0x8b, register, 0x24, 0xc3, ..] if register & 0xc7 == 0x04)
    }

    /// A slot of an import: calls through it are calls of the import.
    fn slot(
        &self,
        architecture: &mut Architecture,
        told: &mut Told,
        slot: u64,
        import: u32,
        endless: bool,
    ) -> Result<()> {
        let Some(imported) = self.program.imports().get(import as usize) else {
            return Ok(());
        };
        let target = match told.imports.get(&import) {
            Some(&address) => address,
            None => {
                let Some(start) = self.outside else {
                    return Ok(());
                };
                let address = start.saturating_add(u64::from(import).saturating_mul(APART));
                let types = prototypes::of_import(&imported.name);
                let place = code(architecture, address)?;
                let symbol = self.add_function(
                    architecture,
                    told.scope,
                    &place,
                    &imported.name,
                    types,
                    endless,
                )?;
                told.others.push(symbol);
                told.imports.insert(import, address);
                address
            }
        };
        let target = code(architecture, target)?;
        let slot = data(architecture, slot)?;
        let name = identifier(&format!("PTR_{}", imported.name));
        let symbol =
            Database::scope_add_external_ref(architecture, told.scope, &slot, &target, &name)?;
        told.others.push(symbol);
        Ok(())
    }

    /// A text, or data that has a name.
    fn data(
        &self,
        architecture: &mut Architecture,
        scope: ScopeId,
        address: u64,
    ) -> Result<Option<SymbolId>> {
        let types = architecture.types_mut()?;
        let (start, name, kind) = if let Some((start, size, name)) = self.places.data(address) {
            let size = i32::try_from(size.min(LARGEST_DATA)).unwrap_or(1);
            let kind = match size {
                1 | 2 | 4 | 8 => types.get_base(size, TypeMetatype::Unknown)?,
                _ => {
                    let byte = types.get_base(1, TypeMetatype::Unknown)?;
                    types.get_type_array(size, byte)?
                }
            };
            (start, name.to_owned(), kind)
        } else if self.bytes.is_constant(address)
            && let Some(text) = texts::text(self.bytes.from(address), self.wide)
        {
            let character = types.get_type_char(i32::try_from(text.width).unwrap_or(1))?;
            let length = i32::try_from(text.length).unwrap_or(1);
            let kind = types.get_type_array(length, character)?;
            (address, format!("s_{}_{address:x}", text.label), kind)
        } else {
            return Ok(None);
        };
        let place = data(architecture, start)?;
        let inside = architecture.symboltab_ref()?.scope_query_container(
            scope,
            &place,
            1,
            &Address::invalid(),
        );
        // The same data, or a text that begins inside of another.
        if inside.is_some() {
            return Ok(None);
        }
        let entry = Database::scope_add_symbol_at(
            architecture,
            scope,
            &identifier(&name),
            Some(kind),
            &place,
            &Address::invalid(),
        )?;
        Ok(Some(
            architecture.symboltab_ref()?.entry(entry).get_symbol(),
        ))
    }

    /// Which instructions are Thumb, and what the register for it has when a
    /// function of MIPS begins.
    pub(crate) fn modes(&self, architecture: &mut Architecture, function: &Function) -> Result<()> {
        let Some(context) = architecture.context.clone() else {
            return Ok(());
        };
        let locked = || Error::Lowlevel("the context is locked".to_owned());
        match self.language.family {
            Family::Arm => {
                let mut context = context.lock().map_err(|_| locked())?;
                for block in self.program.blocks(function) {
                    let from = code(architecture, block.start)?;
                    let to = code(architecture, block.end())?;
                    let mode = u32::from(function.thumb);
                    context.set_variable_region("TMode", &from, &to, mode)?;
                }
            }
            Family::Mips => {
                let register = architecture.translator()?.get_register("t9")?;
                let mut context = context.lock().map_err(|_| locked())?;
                let from = code(architecture, function.address)?;
                let to = code(architecture, function.address.saturating_add(4))?;
                let tracked = context.create_set(&from, &to);
                tracked.clear();
                tracked.push(ghidra_decompiler::globalcontext::TrackedContext {
                    loc: register,
                    val: function.address,
                });
            }
            Family::X86
            | Family::Aarch64
            | Family::Powerpc
            | Family::Riscv
            | Family::S390x
            | Family::M68k
            | Family::Sparc => {}
        }
        Ok(())
    }
}

/// Says that a function has a result. What kind of a number it is shows in the
/// function.
fn returns(architecture: &mut Architecture, symbol: SymbolId, result: &Outcome) -> Result<()> {
    let Outcome {
        register,
        size,
        float,
    } = result;
    let kind = if *float {
        TypeMetatype::Float
    } else {
        TypeMetatype::Unknown
    };
    let size = match size {
        1 => 1,
        2 => 2,
        3 | 4 => 4,
        _ => 8,
    };
    let space = register.space.clone();
    let space = space.ok_or_else(|| Error::Lowlevel("no space of registers".to_owned()))?;
    // The least significant bytes lie last where the most significant come first.
    let unused = u64::from(register.size).saturating_sub(size);
    let offset = if space.is_big_endian() {
        register.offset.saturating_add(unused)
    } else {
        register.offset
    };
    let size = i32::try_from(size).unwrap_or(8);
    let piece = ParameterPieces {
        addr: Address::new(space, offset),
        tp: Some(architecture.types_mut()?.get_base(size, kind)?),
        flags: 0,
    };
    let Some(function) = Database::symbol_get_function(architecture, symbol)? else {
        return Ok(());
    };
    let mut prototype = std::mem::take(function.get_func_proto_mut());
    let set = prototype.set_output(&piece, architecture);
    if set.is_ok() {
        prototype.set_output_lock(true, architecture);
    }
    if let Some(function) = Database::symbol_get_function(architecture, symbol)? {
        *function.get_func_proto_mut() = prototype;
    }
    set
}

/// An address of code.
pub(crate) fn code(architecture: &Architecture, address: u64) -> Result<Address> {
    place(architecture.manager.get_default_code_space(), address)
}

fn data(architecture: &Architecture, address: u64) -> Result<Address> {
    place(architecture.manager.get_default_data_space(), address)
}

fn place(space: Option<SpaceRef>, address: u64) -> Result<Address> {
    let space = space.ok_or_else(|| Error::Lowlevel("no address space".to_owned()))?;
    Ok(Address::new(space, address))
}

/// A name as it can stand in a text of C: nothing that could end a comment, a
/// literal or a line.
fn identifier(name: &str) -> String {
    let mut out = String::with_capacity(name.len().min(LONGEST_NAME));
    for c in name.chars().take(LONGEST_NAME) {
        let fits = c.is_alphanumeric() || matches!(c, '_' | '.' | '$' | '@' | '?' | ':' | '~');
        if out.is_empty() && c.is_ascii_digit() {
            out.push('_');
        }
        out.push(if fits { c } else { '_' });
    }
    if out.is_empty() {
        out.push('_');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_end_nothing() {
        for (name, expected) in [
            ("main", "main"),
            ("foo.part.0", "foo.part.0"),
            ("*/ system(\"x\");\n//", "___system__x______"),
            ("2fast", "_2fast"),
            ("", "_"),
            ("a\u{202e}b", "a_b"),
        ] {
            assert_eq!(identifier(name), expected);
        }
        assert_eq!(identifier(&"x".repeat(10_000)).len(), LONGEST_NAME);
    }
}
