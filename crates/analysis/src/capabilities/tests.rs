//! Lists of imports as programs of each kind have them.

use super::*;

fn ids(names: &str) -> Vec<String> {
    let imports = names.split_whitespace().map(|name| (None, name));
    capabilities(imports)
        .into_iter()
        .map(|found| found.id)
        .collect()
}

#[track_caller]
fn has(names: &str, expected: &[&str]) {
    let found = ids(names);
    for id in expected {
        assert!(
            found.iter().any(|known| known == id),
            "no {id} in {found:?}"
        );
    }
}

#[track_caller]
fn has_not(names: &str, unexpected: &[&str]) {
    let found = ids(names);
    for id in unexpected {
        assert!(!found.iter().any(|known| known == id), "{id} in {found:?}");
    }
}

/// The imports of a small program of Visual C++.
const HARMLESS: &str = "GetCurrentProcess TerminateProcess IsDebuggerPresent \
    UnhandledExceptionFilter SetUnhandledExceptionFilter GetModuleHandleW GetProcAddress \
    QueryPerformanceCounter GetCurrentProcessId GetCurrentThreadId GetSystemTimeAsFileTime \
    InitializeSListHead RtlCaptureContext RtlLookupFunctionEntry RtlVirtualUnwind WriteFile \
    GetStdHandle ExitProcess HeapAlloc HeapFree LoadLibraryExW FindFirstFileExW FindNextFileW";

#[test]
fn injection_takes_all_three() {
    has(
        "OpenProcess VirtualAllocEx WriteProcessMemory CreateRemoteThread",
        &["process_injection", "process_memory_access"],
    );
    has_not("VirtualAllocEx WriteProcessMemory", &["process_injection"]);
    has_not("CreateRemoteThread", &["process_injection"]);
    has(
        "ZwAllocateVirtualMemory ZwWriteVirtualMemory NtCreateThreadEx",
        &["process_injection"],
    );
    has(
        "CreateProcessW NtUnmapViewOfSection WriteProcessMemory SetThreadContext ResumeThread",
        &["process_hollowing"],
    );
    has(
        "_task_for_pid _mach_vm_write _thread_create_running",
        &["task_port_injection"],
    );
}

#[test]
fn a_harmless_program_weighs_little() {
    let found = capabilities(HARMLESS.split_whitespace().map(|name| (None, name)));
    assert!(
        found.iter().all(|found| found.severity == Severity::Low),
        "{found:?}"
    );
    assert_eq!(
        ids("printf malloc free puts strlen __libc_start_main"),
        Vec::<String>::new()
    );
}

#[test]
fn suffixes_and_decorations_make_no_difference() {
    for name in [
        "URLDownloadToFileA",
        "URLDownloadToFileW",
        "_URLDownloadToFileA@20",
    ] {
        has(name, &["download"]);
    }
    has(
        "socket@GLIBC_2.2.5 connect@@GLIBC_2.2.5",
        &["socket_client"],
    );
    has("_system", &["shell_execution"]);
    has("DnsQuery_W", &["dns_query"]);
    has("CryptUnprotectData", &["data_protection"]);
}

#[test]
fn ransomware() {
    has(
        "FindFirstFileW FindNextFileW CryptAcquireContextW CryptGenKey CryptEncrypt ReadFile \
         WriteFile MoveFileExW GetLogicalDrives GetDriveTypeW",
        &["file_encryption", "encryption", "drive_enumeration"],
    );
    has_not(
        "FindFirstFileW FindNextFileW WriteFile DeleteFileW",
        &["file_encryption"],
    );
}

#[test]
fn spies_and_services() {
    has(
        "SetWindowsHookExA GetAsyncKeyState GetKeyNameTextA GetForegroundWindow GetDC BitBlt \
         CreateCompatibleBitmap OpenClipboard GetClipboardData",
        &["keylogging", "screen_capture", "clipboard_access"],
    );
    has(
        "OpenSCManagerA CreateServiceA RegSetValueExA AdjustTokenPrivileges LookupPrivilegeValueA",
        &[
            "service_installation",
            "registry_write",
            "privilege_adjustment",
        ],
    );
    has(
        "URLDownloadToFileA ShellExecuteA",
        &["download_and_execute", "shell_execution"],
    );
}

#[test]
fn a_bot_of_linux() {
    has(
        "socket connect dup2 execve fork setsid prctl ptrace readdir opendir kill",
        &[
            "reverse_shell",
            "daemon",
            "process_renaming",
            "process_tracing",
            "file_enumeration",
        ],
    );
}

#[test]
fn each_is_reported_once_with_its_best_way_and_bounded_evidence() {
    let names = "SetWindowsHookExW GetAsyncKeyState GetForegroundWindow RegisterRawInputDevices GetRawInputData";
    let found = capabilities(
        names
            .split_whitespace()
            .map(|name| (Some("user32.dll"), name)),
    );
    let keys: Vec<_> = found
        .iter()
        .filter(|found| found.id == "keylogging")
        .collect();
    assert_eq!(keys.len(), 1);
    assert_eq!(keys[0].weight, 7);
    assert_eq!(keys[0].severity, Severity::High);
    assert_eq!(keys[0].attack.as_deref(), Some("T1056.001"));
    assert_eq!(keys[0].evidence, ["SetWindowsHookExW", "GetAsyncKeyState"]);

    let many: Vec<String> = (0..1000)
        .map(|number| format!("InternetOpenA@{number}"))
        .collect();
    let found = capabilities(many.iter().map(|name| (None, name.as_str())));
    assert!(
        found
            .iter()
            .all(|found| found.evidence.len() <= MOST_EVIDENCE)
    );
}

#[test]
fn rules_are_well_formed() {
    for rule in RULES {
        assert!((1..=8).contains(&rule.groups.len()), "{}", rule.id);
        assert!((1..=10).contains(&rule.weight), "{}", rule.id);
        assert!(
            rule.attack.is_empty() || rule.attack.starts_with('T'),
            "{}",
            rule.id
        );
        assert!(
            rule.groups.iter().all(|group| !group.trim().is_empty()),
            "{}",
            rule.id
        );
    }
}

#[test]
fn odd_names_are_ignored() {
    let long = "a".repeat(100_000);
    let names = ["", "@", "___", "\u{fc}", "A", "W", "ex", long.as_str()];
    assert!(capabilities(names.iter().map(|name| (None, *name))).is_empty());
}
