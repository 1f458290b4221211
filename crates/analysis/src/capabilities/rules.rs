//! The rules: which functions together make which capability. Names are those
//! of the documentation, without the suffixes `A` and `W`.
//!
//! Weights: 1-3 what many harmless programs do too, 4-6 what some do, 7-10 what
//! hardly any does. Techniques are those of MITRE ATT&CK for enterprises.

use super::Rule;

pub(super) const RULES: &[Rule] = &[
    // Code in other processes.
    Rule {
        id: "process_injection",
        title: "Writes code into another process and runs it there",
        attack: "T1055.001",
        weight: 9,
        groups: &[
            "VirtualAllocEx VirtualAlloc2 NtAllocateVirtualMemory VirtualProtectEx NtProtectVirtualMemory",
            "WriteProcessMemory NtWriteVirtualMemory",
            "CreateRemoteThread CreateRemoteThreadEx NtCreateThreadEx RtlCreateUserThread",
        ],
    },
    Rule {
        id: "process_hollowing",
        title: "Replaces the image of a suspended process",
        attack: "T1055.012",
        weight: 9,
        groups: &[
            "NtUnmapViewOfSection SetThreadContext NtSetContextThread Wow64SetThreadContext",
            "WriteProcessMemory NtWriteVirtualMemory NtMapViewOfSection",
            "ResumeThread NtResumeThread",
        ],
    },
    Rule {
        id: "apc_injection",
        title: "Queues code to a thread of another process",
        attack: "T1055.004",
        weight: 8,
        groups: &[
            "QueueUserAPC NtQueueApcThread NtQueueApcThreadEx",
            "WriteProcessMemory NtWriteVirtualMemory NtMapViewOfSection",
        ],
    },
    Rule {
        id: "process_memory_access",
        title: "Reads or writes the memory of other processes",
        attack: "T1055",
        weight: 5,
        groups: &[
            "WriteProcessMemory ReadProcessMemory NtWriteVirtualMemory NtReadVirtualMemory \
             Toolhelp32ReadProcessMemory process_vm_writev process_vm_readv mach_vm_write \
             mach_vm_read vm_write",
        ],
    },
    Rule {
        id: "task_port_injection",
        title: "Writes into another task and starts a thread there (macOS)",
        attack: "T1055",
        weight: 9,
        groups: &[
            "task_for_pid processor_set_tasks",
            "mach_vm_write vm_write mach_vm_allocate vm_allocate mach_vm_protect",
            "thread_create_running thread_create thread_set_state",
        ],
    },
    Rule {
        id: "ptrace_injection",
        title: "Traces another process and writes into its memory",
        attack: "T1055.008",
        weight: 6,
        groups: &[
            "ptrace",
            "waitpid wait4",
            "process_vm_writev process_vm_readv dlsym memfd_create",
        ],
    },
    Rule {
        id: "fileless_execution",
        title: "Runs a program from memory",
        attack: "T1620",
        weight: 7,
        groups: &[
            "memfd_create shm_open NSCreateObjectFileImageFromMemory",
            "fexecve execveat execve NSLinkModule",
        ],
    },
    Rule {
        id: "executable_memory",
        title: "Makes memory executable at run time",
        attack: "T1027.002",
        weight: 2,
        groups: &[
            "VirtualProtect VirtualProtectEx NtProtectVirtualMemory mprotect mach_vm_protect vm_protect",
        ],
    },
    Rule {
        id: "process_enumeration",
        title: "Lists running processes",
        attack: "T1057",
        weight: 3,
        groups: &[
            "CreateToolhelp32Snapshot EnumProcesses K32EnumProcesses WTSEnumerateProcesses \
             NtQuerySystemInformation proc_listpids proc_listallpids Process32First",
        ],
    },
    Rule {
        id: "process_termination",
        title: "Looks for processes and ends them",
        attack: "T1489",
        weight: 5,
        groups: &[
            "CreateToolhelp32Snapshot EnumProcesses K32EnumProcesses WTSEnumerateProcesses proc_listpids",
            "TerminateProcess NtTerminateProcess kill",
        ],
    },
    // Input and screen.
    Rule {
        id: "keylogging",
        title: "Records keys with a hook",
        attack: "T1056.001",
        weight: 7,
        groups: &[
            "SetWindowsHookEx",
            "GetKeyState GetAsyncKeyState GetKeyboardState ToUnicode ToAscii GetKeyNameText MapVirtualKey",
        ],
    },
    Rule {
        id: "keylogging",
        title: "Polls the state of keys",
        attack: "T1056.001",
        weight: 6,
        groups: &[
            "GetAsyncKeyState GetKeyboardState",
            "GetForegroundWindow GetWindowText",
        ],
    },
    Rule {
        id: "keylogging",
        title: "Reads raw input",
        attack: "T1056.001",
        weight: 6,
        groups: &["RegisterRawInputDevices", "GetRawInputData"],
    },
    Rule {
        id: "keylogging",
        title: "Taps events of the keyboard (macOS)",
        attack: "T1056.001",
        weight: 6,
        groups: &[
            "CGEventTapCreate IOHIDManagerRegisterInputValueCallback",
            "CGEventGetIntegerValueField CGEventKeyboardGetUnicodeString CGEventTapEnable IOHIDValueGetElement",
        ],
    },
    Rule {
        id: "keylogging",
        title: "Reads the keyboard of the X server",
        attack: "T1056.001",
        weight: 6,
        groups: &["XQueryKeymap XRecordEnableContext XRecordEnableContextAsync"],
    },
    Rule {
        id: "windows_hook",
        title: "Hooks events of other programs",
        attack: "T1056.004",
        weight: 3,
        groups: &["SetWindowsHookEx SetWinEventHook"],
    },
    Rule {
        id: "screen_capture",
        title: "Takes pictures of the screen",
        attack: "T1113",
        weight: 4,
        groups: &[
            "BitBlt StretchBlt PrintWindow",
            "CreateCompatibleBitmap CreateDIBSection",
            "GetDC GetWindowDC GetDesktopWindow CreateDC",
        ],
    },
    Rule {
        id: "screen_capture",
        title: "Takes pictures of the screen",
        attack: "T1113",
        weight: 5,
        groups: &[
            "CGDisplayCreateImage CGWindowListCreateImage CGDisplayStreamCreate XGetImage XShmGetImage",
        ],
    },
    Rule {
        id: "clipboard_access",
        title: "Reads or replaces the clipboard",
        attack: "T1115",
        weight: 3,
        groups: &[
            "OpenClipboard AddClipboardFormatListener SetClipboardViewer",
            "GetClipboardData SetClipboardData",
        ],
    },
    Rule {
        id: "audio_capture",
        title: "Records sound",
        attack: "T1123",
        weight: 4,
        groups: &[
            "waveInOpen snd_pcm_readi AudioQueueNewInput",
            "waveInStart waveInAddBuffer snd_pcm_open AudioQueueStart",
        ],
    },
    Rule {
        id: "video_capture",
        title: "Uses a camera",
        attack: "T1125",
        weight: 5,
        groups: &["capCreateCaptureWindow capGetDriverDescription"],
    },
    // Network.
    Rule {
        id: "http_client",
        title: "Talks HTTP",
        attack: "T1071.001",
        weight: 3,
        groups: &[
            "InternetOpen InternetOpenUrl InternetConnect HttpOpenRequest HttpSendRequest \
             WinHttpOpen WinHttpConnect WinHttpSendRequest curl_easy_perform CFReadStreamCreateForHTTPRequest",
        ],
    },
    Rule {
        id: "download_and_execute",
        title: "Fetches files and starts programs",
        attack: "T1105",
        weight: 7,
        groups: &[
            "URLDownloadToFile URLDownloadToCacheFile InternetReadFile WinHttpReadData",
            "WinExec ShellExecute ShellExecuteEx CreateProcess CreateProcessAsUser",
            "WriteFile CreateFile URLDownloadToFile URLDownloadToCacheFile",
        ],
    },
    Rule {
        id: "download",
        title: "Fetches a file from the network",
        attack: "T1105",
        weight: 4,
        groups: &["URLDownloadToFile URLDownloadToCacheFile"],
    },
    Rule {
        id: "socket_client",
        title: "Connects to other machines",
        attack: "T1095",
        weight: 2,
        groups: &["socket WSASocket", "connect WSAConnect ConnectEx"],
    },
    Rule {
        id: "socket_server",
        title: "Waits for connections",
        attack: "T1571",
        weight: 3,
        groups: &[
            "socket WSASocket",
            "bind",
            "listen",
            "accept accept4 WSAAccept AcceptEx",
        ],
    },
    Rule {
        id: "reverse_shell",
        title: "Connects a socket to the standard streams of a program",
        attack: "T1059.004",
        weight: 5,
        groups: &[
            "socket",
            "connect accept accept4",
            "dup2 dup3",
            "execve execl execlp execv execvp execle posix_spawn",
        ],
    },
    Rule {
        id: "raw_sockets",
        title: "Captures or forges packets",
        attack: "T1040",
        weight: 5,
        groups: &["pcap_open_live pcap_open pcap_loop pcap_sendpacket pcap_inject"],
    },
    Rule {
        id: "dns_query",
        title: "Asks the name system directly",
        attack: "T1071.004",
        weight: 3,
        groups: &["DnsQuery DnsQuery_UTF8 res_query res_search res_nquery"],
    },
    Rule {
        id: "network_shares",
        title: "Lists or mounts shares of other machines",
        attack: "T1135",
        weight: 5,
        groups: &[
            "WNetEnumResource NetShareEnum WNetOpenEnum WNetAddConnection2 WNetAddConnection",
        ],
    },
    Rule {
        id: "mail",
        title: "Sends mail through the mail program",
        attack: "T1114",
        weight: 4,
        groups: &["MAPISendMail MAPILogon MAPISendDocuments"],
    },
    // Persistence.
    Rule {
        id: "registry_write",
        title: "Writes to the registry",
        attack: "T1112",
        weight: 3,
        groups: &[
            "RegSetValue RegSetValueEx RegSetKeyValue NtSetValueKey SHSetValue RegDeleteValue RegDeleteKey",
        ],
    },
    Rule {
        id: "service_installation",
        title: "Installs or changes a service",
        attack: "T1543.003",
        weight: 6,
        groups: &[
            "OpenSCManager",
            "CreateService ChangeServiceConfig ChangeServiceConfig2",
        ],
    },
    Rule {
        id: "service_control",
        title: "Stops or removes services",
        attack: "T1489",
        weight: 5,
        groups: &[
            "OpenSCManager",
            "ControlService DeleteService EnumServicesStatus EnumServicesStatusEx",
        ],
    },
    Rule {
        id: "scheduled_task",
        title: "Schedules a task",
        attack: "T1053",
        weight: 6,
        groups: &["NetScheduleJobAdd SMJobSubmit"],
    },
    Rule {
        id: "login_item",
        title: "Starts at login (macOS)",
        attack: "T1547.015",
        weight: 5,
        groups: &["LSSharedFileListInsertItemURL SMLoginItemSetEnabled SMJobBless"],
    },
    Rule {
        id: "daemon",
        title: "Detaches from its terminal",
        attack: "",
        weight: 2,
        groups: &["daemon setsid", "fork vfork daemon"],
    },
    Rule {
        id: "driver_loading",
        title: "Loads a driver or a module of the kernel",
        attack: "T1547.006",
        weight: 8,
        groups: &["NtLoadDriver init_module finit_module KextManagerLoadKextWithURL"],
    },
    // Evasion.
    Rule {
        id: "anti_debugging",
        title: "Detects debuggers",
        attack: "T1622",
        weight: 5,
        groups: &[
            "CheckRemoteDebuggerPresent NtQueryInformationProcess NtSetInformationThread DbgUiRemoteBreakin NtQueryObject DebugActiveProcess",
        ],
    },
    Rule {
        id: "anti_debugging",
        title: "Asks for a debugger",
        attack: "T1622",
        // The runtime library of Visual C++ imports it.
        weight: 1,
        groups: &["IsDebuggerPresent OutputDebugString"],
    },
    Rule {
        id: "process_tracing",
        title: "Traces processes, or keeps others from tracing it",
        attack: "T1622",
        weight: 5,
        groups: &["ptrace"],
    },
    Rule {
        id: "timing_checks",
        title: "Measures time and sleeps, which can detect analysis",
        attack: "T1497.003",
        weight: 1,
        groups: &[
            "GetTickCount GetTickCount64 QueryPerformanceCounter timeGetTime",
            "Sleep SleepEx NtDelayExecution",
        ],
    },
    Rule {
        id: "sandbox_detection",
        title: "Watches whether a person is there",
        attack: "T1497.002",
        weight: 3,
        groups: &[
            "GetLastInputInfo GetCursorPos",
            "Sleep SleepEx NtDelayExecution GetTickCount",
            "GlobalMemoryStatusEx GetSystemInfo EnumDisplayDevices GetDiskFreeSpaceEx",
        ],
    },
    Rule {
        id: "dynamic_resolution",
        title: "Looks functions up at run time",
        attack: "T1027.007",
        weight: 2,
        groups: &[
            "LoadLibrary LoadLibraryEx GetModuleHandle GetModuleHandleEx LdrLoadDll dlopen NSAddImage",
            "GetProcAddress LdrGetProcedureAddress dlsym NSLookupSymbolInImage",
        ],
    },
    Rule {
        id: "event_log_clearing",
        title: "Clears event logs",
        attack: "T1070.001",
        weight: 9,
        groups: &["ClearEventLog EvtClearLog"],
    },
    Rule {
        id: "timestamp_change",
        title: "Changes the times of files",
        attack: "T1070.006",
        weight: 3,
        groups: &["SetFileTime utime utimes utimensat futimens futimes lutimes"],
    },
    Rule {
        id: "delayed_deletion",
        title: "Replaces or removes files at the next start",
        attack: "T1070.004",
        weight: 3,
        groups: &["MoveFileEx"],
    },
    Rule {
        id: "wow64_redirection",
        title: "Switches off redirection of system files",
        attack: "",
        weight: 4,
        groups: &["Wow64DisableWow64FsRedirection Wow64EnableWow64FsRedirection"],
    },
    Rule {
        id: "process_renaming",
        title: "Changes the name it is listed under",
        attack: "T1036.009",
        weight: 2,
        groups: &["prctl setproctitle"],
    },
    // Privileges and credentials.
    Rule {
        id: "privilege_adjustment",
        title: "Switches privileges on",
        attack: "T1134",
        weight: 5,
        groups: &[
            "AdjustTokenPrivileges RtlAdjustPrivilege NtAdjustPrivilegesToken",
            "LookupPrivilegeValue OpenProcessToken NtOpenProcessToken RtlAdjustPrivilege",
        ],
    },
    Rule {
        id: "token_theft",
        title: "Acts with the token of another user",
        attack: "T1134.001",
        weight: 7,
        groups: &[
            "DuplicateTokenEx DuplicateToken NtDuplicateToken ImpersonateLoggedOnUser SetThreadToken",
            "CreateProcessAsUser CreateProcessWithToken CreateProcessWithTokenW ImpersonateLoggedOnUser SetThreadToken",
        ],
    },
    Rule {
        id: "user_switch",
        title: "Changes the user it runs as",
        attack: "T1548.001",
        weight: 3,
        groups: &[
            "setuid seteuid setreuid setresuid setgid setresgid AuthorizationExecuteWithPrivileges",
        ],
    },
    Rule {
        id: "credential_access",
        title: "Reads stored or cached credentials",
        attack: "T1555",
        weight: 7,
        groups: &[
            "CredEnumerate CredRead VaultEnumerateItems VaultGetItem LsaRetrievePrivateData \
             LsaEnumerateLogonSessions SamEnumerateUsersInDomain SamIConnect \
             SecKeychainFindGenericPassword SecKeychainFindInternetPassword SecKeychainItemCopyContent \
             PK11SDR_Decrypt getspnam",
        ],
    },
    Rule {
        id: "data_protection",
        title: "Decrypts what the user's data protection keeps",
        attack: "T1555.003",
        weight: 5,
        groups: &["CryptUnprotectData NCryptUnprotectSecret"],
    },
    Rule {
        id: "process_dump",
        title: "Dumps the memory of processes",
        attack: "T1003.001",
        weight: 5,
        groups: &["MiniDumpWriteDump", "OpenProcess NtOpenProcess"],
    },
    Rule {
        id: "account_manipulation",
        title: "Creates or changes accounts",
        attack: "T1136.001",
        weight: 7,
        groups: &["NetUserAdd NetUserSetInfo NetLocalGroupAddMembers NetGroupAddUser"],
    },
    Rule {
        id: "system_discovery",
        title: "Asks for the names of machine and user",
        attack: "T1082",
        weight: 1,
        groups: &[
            "GetComputerName GetComputerNameEx gethostname uname GetVersionEx",
            "GetUserName GetUserNameEx getpwuid getlogin getpwnam GetUserNameEx",
        ],
    },
    Rule {
        id: "network_discovery",
        title: "Asks for the network configuration",
        attack: "T1016",
        weight: 2,
        groups: &[
            "GetAdaptersInfo GetAdaptersAddresses GetIpNetTable GetExtendedTcpTable getifaddrs SCDynamicStoreCopyValue NetServerEnum",
        ],
    },
    // Files and encryption.
    Rule {
        id: "file_enumeration",
        title: "Walks through directories",
        attack: "T1083",
        weight: 2,
        groups: &[
            "FindFirstFile FindFirstFileEx opendir fts_open nftw ftw scandir NtQueryDirectoryFile",
            "FindNextFile readdir readdir64 readdir_r fts_read nftw ftw scandir NtQueryDirectoryFile",
        ],
    },
    Rule {
        id: "encryption",
        title: "Encrypts or decrypts data",
        attack: "T1027",
        weight: 3,
        groups: &[
            "CryptEncrypt CryptDecrypt BCryptEncrypt BCryptDecrypt SystemFunction032 SystemFunction033 \
             EVP_EncryptInit_ex EVP_EncryptUpdate EVP_CipherInit_ex AES_encrypt AES_set_encrypt_key \
             CCCrypt CCCryptorCreate gcry_cipher_encrypt RSA_public_encrypt crypto_secretbox_easy",
        ],
    },
    Rule {
        id: "file_encryption",
        title: "Walks through files and encrypts them, as ransomware does",
        attack: "T1486",
        weight: 8,
        groups: &[
            "FindFirstFile FindFirstFileEx opendir fts_open nftw ftw NtQueryDirectoryFile",
            "FindNextFile readdir readdir64 fts_read nftw ftw NtQueryDirectoryFile",
            "CryptEncrypt BCryptEncrypt SystemFunction032 EVP_EncryptInit_ex EVP_EncryptUpdate \
             AES_encrypt AES_set_encrypt_key CCCrypt CCCryptorCreate gcry_cipher_encrypt RSA_public_encrypt",
            "WriteFile NtWriteFile write fwrite pwrite MapViewOfFile",
            "MoveFile MoveFileEx MoveFileWithProgress DeleteFile rename renameat unlink SetFileInformationByHandle",
        ],
    },
    Rule {
        id: "drive_enumeration",
        title: "Lists drives",
        attack: "T1083",
        weight: 3,
        groups: &[
            "GetLogicalDrives GetLogicalDriveStrings FindFirstVolume",
            "GetDriveType GetVolumeInformation FindNextVolume GetDiskFreeSpaceEx",
        ],
    },
    Rule {
        id: "disk_access",
        title: "Controls devices directly",
        attack: "T1561",
        weight: 2,
        groups: &["DeviceIoControl NtDeviceIoControlFile"],
    },
    Rule {
        id: "shutdown",
        title: "Restarts or crashes the machine",
        attack: "T1529",
        weight: 5,
        groups: &[
            "ExitWindowsEx InitiateSystemShutdown InitiateSystemShutdownEx NtShutdownSystem NtRaiseHardError reboot",
        ],
    },
    Rule {
        id: "embedded_payload",
        title: "Reads its resources and writes a file",
        attack: "T1027.009",
        weight: 4,
        groups: &[
            "FindResource FindResourceEx",
            "LoadResource",
            "LockResource SizeofResource",
            "WriteFile",
            "WinExec ShellExecute ShellExecuteEx CreateProcess",
        ],
    },
    // Execution.
    Rule {
        id: "shell_execution",
        title: "Runs commands in a shell",
        attack: "T1059",
        weight: 4,
        groups: &["system popen wsystem wpopen WinExec ShellExecute ShellExecuteEx"],
    },
    Rule {
        id: "process_creation",
        title: "Starts programs",
        attack: "T1106",
        weight: 2,
        groups: &[
            "CreateProcess CreateProcessAsUser CreateProcessWithLogon CreateProcessWithLogonW NtCreateUserProcess \
             execve execl execlp execle execv execvp execvpe posix_spawn posix_spawnp",
        ],
    },
    Rule {
        id: "single_instance",
        title: "Runs only once at a time",
        attack: "T1480.002",
        weight: 1,
        groups: &["CreateMutex CreateMutexEx OpenMutex NtCreateMutant"],
    },
];
