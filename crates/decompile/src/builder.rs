//! What the decompiler starts from: the processor, its own names for types, and
//! where the bytes are.

use std::sync::Arc;

use ghidra_decompiler::architecture::Architecture;
use ghidra_decompiler::error::Result;
use ghidra_decompiler::loadimage::SharedLoadImage;
use ghidra_decompiler::sleigh_arch::{SleighArchitecture, SleighArchitectureHooks};
use ghidra_decompiler::xml::DocumentStorage;

use crate::image::View;
use crate::language::Language;

/// The types that texts are written with: those of C where it has them. What is
/// known by its size only is `undefined`.
const TYPES: &str = r#"<coretypes>
<void/>
<type name="bool" size="1" metatype="bool"/>
<type name="uint8_t" size="1" metatype="uint"/>
<type name="uint16_t" size="2" metatype="uint"/>
<type name="uint32_t" size="4" metatype="uint"/>
<type name="uint64_t" size="8" metatype="uint"/>
<type name="int8_t" size="1" metatype="int"/>
<type name="int16_t" size="2" metatype="int"/>
<type name="int32_t" size="4" metatype="int"/>
<type name="int64_t" size="8" metatype="int"/>
<type name="float" size="4" metatype="float"/>
<type name="double" size="8" metatype="float"/>
<type name="float10" size="10" metatype="float"/>
<type name="float16" size="16" metatype="float"/>
<type name="undefined1" size="1" metatype="unknown"/>
<type name="undefined2" size="2" metatype="unknown"/>
<type name="undefined4" size="4" metatype="unknown"/>
<type name="undefined8" size="8" metatype="unknown"/>
<type name="code" size="1" metatype="code"/>
<type name="char" size="1" metatype="int" char="true"/>
<type name="char16_t" size="2" metatype="int" utf="true"/>
<type name="char32_t" size="4" metatype="int" utf="true"/>
</coretypes>"#;

/// Makes the decompiler's idea of a program.
struct Builder {
    sleigh: SleighArchitecture,
    bytes: Arc<View>,
}

impl SleighArchitectureHooks for Builder {
    fn sleigh(&self) -> &SleighArchitecture {
        &self.sleigh
    }

    fn build_loader(&self, glb: &mut Architecture, store: &mut DocumentStorage) -> Result<()> {
        let types = store.parse_document(TYPES.as_bytes())?;
        store.register_tag(types.get_root());
        let bytes: SharedLoadImage = self.bytes.clone();
        glb.loader = Some(bytes);
        Ok(())
    }

    fn resolve_architecture(&self, glb: &mut Architecture) -> Result<()> {
        glb.archid = self.sleigh.get_target();
        self.sleigh.resolve_architecture(glb)
    }

    fn post_spec_file(&self, glb: &mut Architecture) -> Result<()> {
        glb.post_spec_file_base()?;
        if let Some(space) = glb.manager.get_default_code_space() {
            self.bytes.attach(&space);
        }
        Ok(())
    }
}

/// Makes it. The processor's description is read once for all programs.
pub(crate) fn build(language: &Language, bytes: View) -> Result<Box<Architecture>> {
    let builder = Builder {
        sleigh: SleighArchitecture::new("program", &language.id, None),
        bytes: Arc::new(bytes),
    };
    let mut architecture = Box::new(Architecture::new());
    architecture.builder = Some(Arc::new(builder));
    architecture.init(&mut DocumentStorage::new())?;
    // Constants and tables of pointers that nothing writes are what they are.
    architecture.readonlypropagate = true;
    // Code that can't be read is said to be so, however much of it there is.
    architecture.max_baddata = u32::MAX;
    architecture.loadersymbols_parsed = true;
    Ok(architecture)
}
