//! The types of well-known functions of C and Windows libraries, so that texts
//! and structures that are handed to them are shown as such. Functions that are
//! not in the list get the types that their calls show.

use ghidra_decompiler::architecture::Architecture;
use ghidra_decompiler::error::Result;
use ghidra_decompiler::fspec::PrototypePieces;
use ghidra_decompiler::types::{TypeId, TypeMetatype};

use crate::language::Language;

/// Name; then the result, a colon and the parameters, a letter each: `v` void,
/// `i` and `u` 32 bits, `l` `long`, `z` as wide as a pointer, `d` `double`, `s`
/// text, `S` text of Windows, `q` pointer to a text, `p` any other pointer. A dot
/// is what `...` is in C. Sorted.
const KNOWN: [(&str, &str); 221] = [
    ("CloseHandle", "i:p"),
    ("CopyFileA", "i:ssi"),
    ("CopyFileW", "i:SSi"),
    ("CreateFileA", "p:suupuup"),
    ("CreateFileW", "p:Suupuup"),
    ("CreateMutexA", "p:pis"),
    ("CreateMutexW", "p:piS"),
    ("CreateProcessA", "i:ssppiupspp"),
    ("CreateProcessW", "i:SSppiupSpp"),
    ("CreateRemoteThread", "p:ppzppup"),
    ("CreateThread", "p:pzppup"),
    ("DeleteFileA", "i:s"),
    ("DeleteFileW", "i:S"),
    ("ExitProcess", "v:u"),
    ("FindResourceA", "p:pss"),
    ("FreeLibrary", "i:p"),
    ("GetCommandLineA", "s:"),
    ("GetCommandLineW", "S:"),
    ("GetLastError", "u:"),
    ("GetModuleFileNameA", "u:psu"),
    ("GetModuleFileNameW", "u:pSu"),
    ("GetModuleHandleA", "p:s"),
    ("GetModuleHandleW", "p:S"),
    ("GetProcAddress", "p:ps"),
    ("GetTempPathA", "u:us"),
    ("GetTickCount", "u:"),
    ("IsDebuggerPresent", "i:"),
    ("LoadLibraryA", "p:s"),
    ("LoadLibraryExA", "p:spu"),
    ("LoadLibraryW", "p:S"),
    ("MessageBoxA", "i:pssu"),
    ("MessageBoxW", "i:pSSu"),
    ("OpenProcess", "p:uiu"),
    ("ReadFile", "i:ppupp"),
    ("RegCloseKey", "i:p"),
    ("RegOpenKeyExA", "i:psuup"),
    ("RegOpenKeyExW", "i:pSuup"),
    ("RegSetValueExA", "i:psuupu"),
    ("RegSetValueExW", "i:pSuupu"),
    ("ShellExecuteA", "p:pssssi"),
    ("ShellExecuteW", "p:pSSSSi"),
    ("Sleep", "v:u"),
    ("TerminateProcess", "i:pu"),
    ("URLDownloadToFileA", "i:pssup"),
    ("URLDownloadToFileW", "i:pSSup"),
    ("VirtualAlloc", "p:pzuu"),
    ("VirtualAllocEx", "p:ppzuu"),
    ("VirtualFree", "i:pzu"),
    ("VirtualProtect", "i:pzup"),
    ("WaitForSingleObject", "u:pu"),
    ("WinExec", "u:su"),
    ("WriteFile", "i:ppupp"),
    ("WriteProcessMemory", "i:pppzp"),
    ("_Exit", "v:i"),
    ("__assert_fail", "v:ssus"),
    ("__cxa_atexit", "i:ppp"),
    ("__cxa_finalize", "v:p"),
    ("__errno_location", "p:"),
    ("__fprintf_chk", "i:pis."),
    ("__memcpy_chk", "p:ppzz"),
    ("__printf_chk", "i:is."),
    ("__snprintf_chk", "i:szizs."),
    ("__sprintf_chk", "i:sizs."),
    ("__stack_chk_fail", "v:"),
    ("__strcpy_chk", "s:ssz"),
    ("__vfprintf_chk", "i:pisp"),
    ("_exit", "v:i"),
    ("abort", "v:"),
    ("access", "i:si"),
    ("atof", "d:s"),
    ("atoi", "i:s"),
    ("atol", "l:s"),
    ("bcmp", "i:ppz"),
    ("bsearch", "p:ppzzp"),
    ("calloc", "p:zz"),
    ("chdir", "i:s"),
    ("chmod", "i:su"),
    ("clock", "l:"),
    ("close", "i:i"),
    ("closedir", "i:p"),
    ("ctime", "s:p"),
    ("dlopen", "p:si"),
    ("dlsym", "p:ps"),
    ("dup", "i:i"),
    ("dup2", "i:ii"),
    ("execl", "i:ss."),
    ("execlp", "i:ss."),
    ("execv", "i:sq"),
    ("execve", "i:sqq"),
    ("execvp", "i:sq"),
    ("exit", "v:i"),
    ("fclose", "i:p"),
    ("fdopen", "p:is"),
    ("feof", "i:p"),
    ("ferror", "i:p"),
    ("fflush", "i:p"),
    ("fgetc", "i:p"),
    ("fgets", "s:sip"),
    ("fileno", "i:p"),
    ("fopen", "p:ss"),
    ("fork", "i:"),
    ("fprintf", "i:ps."),
    ("fputc", "i:ip"),
    ("fputs", "i:sp"),
    ("fread", "z:pzzp"),
    ("free", "v:p"),
    ("freopen", "p:ssp"),
    ("fscanf", "i:ps."),
    ("fseek", "i:pli"),
    ("ftell", "l:p"),
    ("fwrite", "z:pzzp"),
    ("getc", "i:p"),
    ("getchar", "i:"),
    ("getcwd", "s:sz"),
    ("getenv", "s:s"),
    ("geteuid", "u:"),
    ("gethostbyname", "p:s"),
    ("getline", "l:qpp"),
    ("getopt_long", "i:iqspp"),
    ("getpid", "i:"),
    ("gettimeofday", "i:pp"),
    ("getuid", "u:"),
    ("gmtime", "p:p"),
    ("inet_addr", "u:s"),
    ("ioctl", "i:il."),
    ("isatty", "i:i"),
    ("kill", "i:ii"),
    ("localtime", "p:p"),
    ("lseek", "l:ili"),
    ("lstrcatA", "s:ss"),
    ("lstrcmpA", "i:ss"),
    ("lstrcpyA", "s:ss"),
    ("lstrlenA", "i:s"),
    ("malloc", "p:z"),
    ("memchr", "p:piz"),
    ("memcmp", "i:ppz"),
    ("memcpy", "p:ppz"),
    ("memmove", "p:ppz"),
    ("memset", "p:piz"),
    ("mkdir", "i:su"),
    ("mmap", "p:pziiil"),
    ("mprotect", "i:pzi"),
    ("munmap", "i:pz"),
    ("nanosleep", "i:pp"),
    ("open", "i:si."),
    ("opendir", "p:s"),
    ("perror", "v:s"),
    ("pipe", "i:p"),
    ("popen", "p:ss"),
    ("printf", "i:s."),
    ("pthread_create", "i:pppp"),
    ("pthread_join", "i:pp"),
    ("pthread_mutex_lock", "i:p"),
    ("pthread_mutex_unlock", "i:p"),
    ("ptrace", "l:iipp"),
    ("putc", "i:ip"),
    ("putchar", "i:i"),
    ("puts", "i:s"),
    ("qsort", "v:pzzp"),
    ("raise", "i:i"),
    ("rand", "i:"),
    ("read", "l:ipz"),
    ("readdir", "p:p"),
    ("readlink", "l:ssz"),
    ("realloc", "p:pz"),
    ("remove", "i:s"),
    ("rename", "i:ss"),
    ("rewind", "v:p"),
    ("rmdir", "i:s"),
    ("scanf", "i:s."),
    ("select", "i:ipppp"),
    ("setenv", "i:ssi"),
    ("setlocale", "s:is"),
    ("setsid", "i:"),
    ("setvbuf", "i:psiz"),
    ("signal", "p:ip"),
    ("sleep", "u:u"),
    ("snprintf", "i:szs."),
    ("sprintf", "i:ss."),
    ("srand", "v:u"),
    ("sscanf", "i:ss."),
    ("stat", "i:sp"),
    ("strcasecmp", "i:ss"),
    ("strcat", "s:ss"),
    ("strchr", "s:si"),
    ("strcmp", "i:ss"),
    ("strcpy", "s:ss"),
    ("strcspn", "z:ss"),
    ("strdup", "s:s"),
    ("strerror", "s:i"),
    ("strftime", "z:szsp"),
    ("strlen", "z:s"),
    ("strncasecmp", "i:ssz"),
    ("strncat", "s:ssz"),
    ("strncmp", "i:ssz"),
    ("strncpy", "s:ssz"),
    ("strndup", "s:sz"),
    ("strnlen", "z:sz"),
    ("strpbrk", "s:ss"),
    ("strrchr", "s:si"),
    ("strspn", "z:ss"),
    ("strstr", "s:ss"),
    ("strtod", "d:sq"),
    ("strtok", "s:ss"),
    ("strtol", "l:sqi"),
    ("strtoul", "z:sqi"),
    ("system", "i:s"),
    ("time", "l:p"),
    ("tolower", "i:i"),
    ("toupper", "i:i"),
    ("umask", "u:u"),
    ("uname", "i:p"),
    ("unlink", "i:s"),
    ("unsetenv", "i:s"),
    ("usleep", "i:u"),
    ("vfprintf", "i:psp"),
    ("vprintf", "i:sp"),
    ("vsnprintf", "i:szsp"),
    ("wait", "i:p"),
    ("waitpid", "i:ipi"),
    ("write", "l:ipz"),
];

/// What the program that is begun with has.
const MAIN: &str = "i:iq";

/// The types of an import with this name.
pub(crate) fn of_import(name: &str) -> Option<&'static str> {
    // Versions stand behind an `@`; Mach-O has an underscore before each name.
    let name = name.split('@').next().unwrap_or(name);
    let known = |name: &str| {
        let found = KNOWN.binary_search_by_key(&name, |&(known, _)| known);
        found.ok().and_then(|place| KNOWN.get(place))
    };
    let found = known(name).or_else(|| known(name.strip_prefix('_')?));
    found.map(|&(_, types)| types)
}

/// The types of a function of the program with this name.
pub(crate) fn of_function(name: &str) -> Option<&'static str> {
    matches!(name, "main" | "_main").then_some(MAIN)
}

/// The same as the decompiler wants it.
pub(crate) fn pieces(
    architecture: &mut Architecture,
    language: &Language,
    types: &str,
) -> Result<PrototypePieces> {
    let (result, parameters) = types.split_once(':').unwrap_or((types, ""));
    let mut pieces = PrototypePieces {
        first_var_arg_slot: -1,
        ..PrototypePieces::default()
    };
    for letter in result.chars() {
        pieces.outtype = Some(one(architecture, language, letter)?);
    }
    let mut fixed = 0_i32;
    for letter in parameters.chars() {
        if letter == '.' {
            pieces.first_var_arg_slot = fixed;
            break;
        }
        pieces.intypes.push(one(architecture, language, letter)?);
        pieces.innames.push(String::new());
        fixed = fixed.saturating_add(1);
    }
    Ok(pieces)
}

fn one(architecture: &mut Architecture, language: &Language, letter: char) -> Result<TypeId> {
    let types = architecture.types_mut()?;
    let pointer = i32::from(language.pointer);
    Ok(match letter {
        'v' => types.get_type_void()?,
        'i' => types.get_base(4, TypeMetatype::Int)?,
        'u' => types.get_base(4, TypeMetatype::Uint)?,
        'l' => types.get_base(i32::from(language.long), TypeMetatype::Int)?,
        'z' => types.get_base(pointer, TypeMetatype::Uint)?,
        'd' => types.get_base(8, TypeMetatype::Float)?,
        's' | 'S' | 'q' => {
            let width = if letter == 'S' { 2 } else { 1 };
            let text = types.get_type_char(width)?;
            let text = types.get_type_pointer(pointer, text, 1)?;
            if letter == 'q' {
                types.get_type_pointer(pointer, text, 1)?
            } else {
                text
            }
        }
        // `p`; the table's test knows no others.
        _ => {
            let void = types.get_type_void()?;
            types.get_type_pointer(pointer, void, 1)?
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_and_has_letters_that_are_known() {
        assert!(KNOWN.is_sorted_by(|(left, _), (right, _)| left < right));
        for (name, types) in KNOWN {
            let (result, parameters) = types.split_once(':').unwrap();
            assert!(result.len() == 1 && "viulzdsSp".contains(result), "{name}");
            let mut letters = parameters.strip_suffix('.').unwrap_or(parameters).chars();
            assert!(letters.all(|letter| "iulzdsSqp".contains(letter)), "{name}");
        }
    }

    #[test]
    fn versions_and_underscores_are_no_part_of_a_name() {
        assert_eq!(of_import("puts@GLIBC_2.2.5"), Some("i:s"));
        assert_eq!(of_import("_puts"), Some("i:s"));
        assert_eq!(of_import("_exit"), Some("v:i"));
        assert_eq!(of_import("outputs"), None);
        assert_eq!(of_function("main"), Some("i:iq"));
    }
}
