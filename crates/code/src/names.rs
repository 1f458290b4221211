//! Names of addresses, and of functions that do not return.

use reversecore_analysis::binary::{Import, Symbol, SymbolKind};

/// What an import is called: its name, or its number in its library.
pub(crate) fn import(import: &Import) -> Option<String> {
    match (&import.name, import.ordinal) {
        (Some(name), _) if !name.is_empty() => Some(name.clone()),
        (_, Some(ordinal)) => {
            let library = import.library.as_deref().unwrap_or("import");
            Some(format!("{library}#{ordinal}"))
        }
        _ => None,
    }
}

/// Whether a symbol may name a function that is defined here.
pub(crate) fn is_function(symbol: &Symbol) -> bool {
    symbol.kind == SymbolKind::Function && !symbol.undefined && symbol.address != 0
}

/// Functions of C, C++ and Windows libraries from which no call returns.
const ENDLESS: [&str; 46] = [
    "abort",
    "exit",
    "_exit",
    "_Exit",
    "quick_exit",
    "_Unwind_Resume",
    "__stack_chk_fail",
    "__stack_chk_fail_local",
    "__stack_smash_handler",
    "__assert",
    "__assert_fail",
    "__assert_perror_fail",
    "__assert_rtn",
    "__chk_fail",
    "__fortify_fail",
    "__cxa_throw",
    "__cxa_rethrow",
    "__cxa_bad_cast",
    "__cxa_bad_typeid",
    "__cxa_pure_virtual",
    "__cxa_throw_bad_array_new_length",
    "__cxa_call_terminate",
    "__libc_start_main",
    "__libc_fatal",
    "longjmp",
    "_longjmp",
    "siglongjmp",
    "__longjmp_chk",
    "pthread_exit",
    "err",
    "errx",
    "verr",
    "verrx",
    "_ZSt9terminatev",
    "ExitProcess",
    "ExitThread",
    "FatalExit",
    "FreeLibraryAndExitThread",
    "RtlExitUserThread",
    "_CxxThrowException",
    "_invoke_watson",
    "_invalid_parameter_noinfo_noreturn",
    "_purecall",
    "_amsg_exit",
    "__report_rangecheckfailure",
    "KeBugCheckEx",
];

/// Whether no call of a function with this name returns.
pub(crate) fn is_endless(name: &str) -> bool {
    let known = |name: &str| ENDLESS.contains(&name);
    // Versions stand behind an `@`; Mach-O has an underscore before each name.
    let name = name.split('@').next().unwrap_or(name);
    known(name)
        || name.strip_prefix('_').is_some_and(known)
        || (name.starts_with("_ZSt") && name.contains("__throw_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endless_functions_are_known_by_all_their_names() {
        for name in [
            "exit",
            "_exit",
            "__exit",
            "abort@GLIBC_2.2.5",
            "_ZSt20__throw_length_errorPKc",
        ] {
            assert!(is_endless(name), "{name}");
        }
        for name in ["", "error", "exits", "_ZSt4cout"] {
            assert!(!is_endless(name), "{name}");
        }
    }
}
